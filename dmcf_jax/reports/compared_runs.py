"""Several runs side by side: what differs in their configs and data, and what came of it."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dmcf_jax.config.validate import differences
from dmcf_jax.errors import Problem, UserError
from dmcf_jax.evaluation.results import marked_title, read_result
from dmcf_jax.runs import data_record
from dmcf_jax.runs.folder import read_config, read_json
from dmcf_jax.runs.metrics_log import read_metrics
from dmcf_jax.runs.summary import read_summary, summary_lines
from dmcf_jax.runtime.markdown import pipe_table

NONE = "-"  # where a run has nothing
MEASURES = ("rank-1", "mAP", "mINP")

# A table: its header, then its rows; the first column names what the others show.
Cells = list[list[str]]


@dataclasses.dataclass(frozen=True)
class ComparedRun:
    """What one run's folder holds.

    Attributes:
        name: of the run among those that are compared.
        config: every field, flattened.
        data: data.json, {} where a run has none.
        lines: of metrics.jsonl.
        results: by title of the protocol.
        summary: of a finished run.
    """

    name: str
    config: Mapping[str, Any]
    data: Mapping[str, Any]
    lines: Sequence[Mapping[str, Any]]
    results: Mapping[str, Mapping[str, Any]]
    summary: Mapping[str, Any] | None


def read_runs(folders: Sequence[Path]) -> list[ComparedRun]:
    """Return the runs in `folders`, named by the part of their paths that differs.

    Raises:
        UserError: every folder that holds no run or a damaged one; fewer than two runs.
    """
    folders = list(dict.fromkeys(folder.resolve() for folder in folders))
    problems, runs = [], []
    for name, folder in zip(_names(folders), folders, strict=True):
        try:
            runs.append(_read(name, folder))
        except UserError as error:
            problems += error.problems
    if problems:
        raise UserError.listing("these folders cannot be compared:", problems)
    if len(runs) < 2:
        text = f"{len(runs)} run was named; name at least two, as in dmcf compare runs/*"
        raise UserError.listing("nothing to compare:", [Problem("runs", text)])
    return runs


def _names(folders: Sequence[Path]) -> list[str]:
    """Return the paths without the folders at their beginning and end that all have in common."""
    parts = [folder.parts for folder in folders]
    first = _common(parts)
    last = _common([path[first:][::-1] for path in parts])
    return ["/".join(path[first : len(path) - last]) for path in parts]


def _common(paths: Sequence[Sequence[str]]) -> int:
    """Return how many first parts all have in common, so that each keeps one."""
    levels = zip(*(path[:-1] for path in paths), strict=False)
    return sum(1 for _ in itertools.takewhile(lambda level: len(set(level)) == 1, levels))


def _read(name: str, folder: Path) -> ComparedRun:
    log, data = folder / "metrics.jsonl", folder / data_record.NAME
    found = [read_result(path) for path in sorted((folder / "evaluation").rglob("*.json"))]
    return ComparedRun(
        name,
        read_config(folder),
        read_json(data) if data.exists() else {},
        read_metrics(log) if log.exists() else [],
        {marked_title(result): result for result in found},
        read_summary(folder),
    )


def notes(runs: Sequence[ComparedRun]) -> list[str]:
    """Return what a reader must know before figures are compared: other data, unfinished runs."""
    lines = []
    hashes = {str(run.data.get("records_sha256")) for run in runs}
    if len(hashes) > 1:
        lines.append("NOTE: the runs were trained on different data; their figures do not compare.")
    for run in runs:
        step = run.lines[-1]["step"] if run.lines else 0
        if step < run.config["train.steps"]:
            lines.append(f"NOTE: {run.name} is at step {step} of {run.config['train.steps']}.")
        others = sorted(
            {r["checkpoint"]["step"] for r in run.results.values()} - {run.config["train.steps"]}
        )
        if others:
            lines.append(f"NOTE: {run.name} was evaluated at step {others}, not at its last.")
    return lines


def config_table(runs: Sequence[ComparedRun]) -> Cells:
    """Return each config field in which the runs differ and which changes results."""
    first = runs[0].config
    changed = {p.about for run in runs[1:] for p in differences(dict(first), dict(run.config))}
    rows = [[field, *(str(run.config.get(field)) for run in runs)] for field in sorted(changed)]
    return [["field", *(run.name for run in runs)], *rows]


def figure_table(runs: Sequence[ComparedRun]) -> Cells:
    """Return rank-1, mAP and mINP in percent by protocol, then the lines of each run's summary."""
    titles = dict.fromkeys(title for run in runs for title in run.results)
    rows = [
        [f"{title}, {measure}, %", *(_figure(run, title, measure) for run in runs)]
        for title in titles
        for measure in MEASURES
    ]
    alarms, trained = zip(*(_training(run) for run in runs), strict=True)
    rows += [["alarms of the training", *alarms], ["rank-1 after training", *trained]]
    return [["figure", *(run.name for run in runs)], *rows]


def _figure(run: ComparedRun, title: str, measure: str) -> str:
    if title not in run.results:
        return NONE
    mean = run.results[title]["mean"]
    return f"{100 * (mean['cmc']['1'] if measure == 'rank-1' else mean[measure]):.2f}"


def _training(run: ComparedRun) -> tuple[str, str]:
    """Return the alarms of a finished run, and its rank-1 among trained and held-out people."""
    lines = summary_lines(dict(run.summary) if run.summary else None)
    alarms, trained = (*lines, NONE, NONE)[:2]
    return alarms, trained


def curves(runs: Sequence[ComparedRun]) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """Return (step, value) by logged name and run, for names that at least two runs logged.

    A value that was not finite is left out.
    """
    names = dict.fromkeys(name for run in runs for line in run.lines[:1] for name in line)
    found = {
        name: {
            run.name: [(line["step"], line[name]) for line in run.lines if _is_number(line, name)]
            for run in runs
        }
        for name in names
        if name != "step"
    }
    drawn = {name: {run: c for run, c in by_run.items() if c} for name, by_run in found.items()}
    return {name: by_run for name, by_run in drawn.items() if len(by_run) > 1}


def _is_number(line: Mapping[str, Any], name: str) -> bool:
    return line.get(name) is not None


def as_markdown(cells: Cells) -> str:
    """Return a pipe table."""
    header, *rows = [[cell.replace("|", "\\|") for cell in row] for row in cells]
    lines = [header, [":--", *["--:"] * (len(header) - 1)], *rows]
    return pipe_table(lines)
