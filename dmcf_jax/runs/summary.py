"""`summary.json` of a run: which features failed to learn, and whether people were memorised."""

import json
from pathlib import Path
from typing import Any

from dmcf_jax.evaluation.thresholds import threshold_lines
from dmcf_jax.runs.folder import read_json
from dmcf_jax.runtime import hosts
from dmcf_jax.runtime.files import write_atomically

LAST, AVERAGED = "last", "averaged"  # which weights were evaluated
# What is wrong with a feature, and how it is reported.
KINDS = {"collapsed": "collapsed", "guessing": "no better than guessing"}


def write_summary(workdir: Path, summary: dict[str, Any]) -> None:
    """Write the summary of a finished run.

    Args:
        summary: `step`; `weights`, `LAST` or `AVERAGED`: those that were evaluated; `alarms`, a
            list of {'feature', 'kind', 'since'} with a kind of `KINDS` and the step of the alarm;
            `rank-1`, by group of people {'value': a fraction or None where embeddings cannot be
            ranked, 'people': their number}; `thresholds`, what `measure_thresholds` returned with
            `group`, who its people are, or None.
    """
    write_atomically(workdir / "summary.json", json.dumps(summary, indent=2) + "\n")


def drop_summary(workdir: Path) -> None:
    """Remove the summary of a run that trains further."""
    if hosts.is_first():
        (workdir / "summary.json").unlink(missing_ok=True)


def read_summary(workdir: str | Path) -> dict[str, Any] | None:
    """Return the summary of a run, None if it has none (yet).

    Raises:
        UserError: the file is damaged.
    """
    path = Path(workdir) / "summary.json"
    return read_json(path) if path.exists() else None


def summary_lines(summary: dict[str, Any] | None) -> list[str]:
    """Return what a user should know of a run, a sentence a line."""
    if summary is None:
        return []
    parts = [_counted(summary["alarms"], kind) for kind in KINDS]
    lines = ["; ".join(filter(None, parts)) or "no alarm"]
    if scores := summary["rank-1"]:
        groups = ", ".join(f"{name} {_percent(score['value'])}" for name, score in scores.items())
        people = next(iter(scores.values()))["people"]
        averaged = summary.get("weights") == AVERAGED
        which = ", with the weights averaged over the steps" if averaged else ""
        lines.append(f"rank-1 among {people} people{which}: {groups}")
    if "thresholds" in summary:  # older runs have none
        lines += threshold_lines(summary["thresholds"])
    return lines


def thresholds_of(workdir: str | Path, step: int) -> dict[str, Any] | None:
    """Return the thresholds that a run recorded for its checkpoint `step`; None if it has none."""
    summary = read_summary(workdir) or {}
    return summary.get("thresholds") if summary.get("step") == step else None


def _percent(value: float | None) -> str:
    return "none (embeddings of length 0)" if value is None else f"{100 * value:.0f} %"


def _counted(alarms: list[dict], kind: str) -> str:
    names = [alarm["feature"] for alarm in alarms if alarm["kind"] == kind]
    features = "feature" if len(names) == 1 else "features"
    return f"{len(names)} {features} {KINDS[kind]}: {', '.join(names)}" if names else ""
