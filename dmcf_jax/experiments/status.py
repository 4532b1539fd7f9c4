"""How far the runs of an experiment are, read from their folders, and how long the rest takes."""

import dataclasses
import json
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.table import Table

from dmcf_jax.data.datasets import DATASETS
from dmcf_jax.data.records import prepared
from dmcf_jax.experiments.plan import Run
from dmcf_jax.runs.metrics_log import read_metrics


@dataclasses.dataclass(frozen=True)
class RunStatus:
    """How far a run is.

    Attributes:
        step: of its latest checkpoint.
        steps: of the complete training.
        evaluated: whether all results of the last step are there.
    """

    step: int
    steps: int
    evaluated: bool

    @property
    def trained(self) -> bool:
        """Whether all steps are done."""
        return self.step >= self.steps

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.trained and self.evaluated

    def __str__(self) -> str:
        """Return one word or two for a table."""
        if self.trained:
            return "finished" if self.evaluated else "not evaluated"
        return "begun" if self.step else "missing"


def status(run: Run) -> RunStatus:
    """Return how far `run` is."""
    steps = run.config.train.steps
    saved = [int(p.name) for p in (run.folder / "checkpoints").glob("*") if p.name.isdecimal()]
    results = [_evaluated_step(result_file(run, name)) for name in run.protocols()]
    return RunStatus(max(saved, default=0), steps, all(step == steps for step in results))


def result_file(run: Run, protocol: str) -> Path:
    """Return the path of a run's result by `protocol`, whether it is there or not."""
    return run.folder / "evaluation" / f"{protocol}.json"


def _evaluated_step(path: Path) -> int | None:
    try:
        return json.loads(path.read_text())["checkpoint"]["step"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def overview(runs: Sequence[Run]) -> Table:
    """Return a table with the state of each run and the time it still needs, where known."""
    left = seconds_left(runs, seconds_a_step(runs))
    title = f"{len(runs)} runs"
    if left:
        title += f", about {spell_seconds(sum(left.values()))} of training left one after another"
    table = Table("run", "state", "step", "training left", title=title)
    for run in runs:
        now = status(run)
        time_left = spell_seconds(left[run.name]) if left.get(run.name) else ""
        state = str(now) if now.finished or is_prepared(run) else f"{now}, data not prepared"
        table.add_row(run.name, state, f"{now.step} / {now.steps}", time_left)
    return table


def is_prepared(run: Run) -> bool:
    """Return whether a run's data are there."""
    data = run.config.data
    trial = DATASETS[data.name].trial(data.trial)
    return prepared.directory(data.name, data.data_dir, trial).is_dir()


def seconds_a_step(runs: Iterable[Run]) -> dict[str, float]:
    """Return the median seconds of a step by row, of the rows that have a metrics log."""
    seconds: dict[str, list[float]] = {}
    for run in runs:
        images = 2 * run.config.sampler.P * run.config.sampler.K
        speeds = [line["images_per_second"] for line in _log_lines(run)]
        seconds.setdefault(run.row, []).extend(images / speed for speed in speeds if speed)
    return {row: statistics.median(values) for row, values in seconds.items() if values}


def _log_lines(run: Run) -> list[dict]:
    try:
        return read_metrics(run.folder / "metrics.jsonl")
    except (OSError, ValueError):  # none yet, or its last line is being written
        return []


def seconds_left(runs: Sequence[Run], by_row: dict[str, float]) -> dict[str, float]:
    """Return the seconds of training that each run still needs, by its name.

    Args:
        by_row: seconds of a step. Rows that are not in it take the median of the others;
            empty gives an empty result. Runs whose method is not trained are left out.
    """
    if not by_row:
        return {}
    usual = statistics.median(by_row.values())
    left = {}
    for run in (run for run in runs if run.is_trained):
        now = status(run)
        left[run.name] = max(0, now.steps - now.step) * by_row.get(run.row, usual)
    return left


def spell_seconds(seconds: float) -> str:
    """Return a duration for people: 45 s, 12 min, 3 h 20 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
