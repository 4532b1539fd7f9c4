"""How far a run is, read from its folder, and how long what is missing will take."""

import dataclasses
import json
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

from dmcf_jax.experiments.plan import Run
from dmcf_jax.runs.metrics_log import read_metrics


@dataclasses.dataclass(frozen=True)
class Standing:
    """A run's newest checkpoint, the steps it shall take, and whether its end is evaluated."""

    step: int
    steps: int
    evaluated: bool

    @property
    def trained(self) -> bool:
        """Whether it took all its steps."""
        return self.step >= self.steps

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.trained and self.evaluated


def standing(run: Run) -> Standing:
    """Return how far `run` is."""
    steps = run.config.train.steps
    saved = [int(p.name) for p in (run.folder / "checkpoints").glob("*") if p.name.isdecimal()]
    results = [_evaluated_step(result_file(run, name)) for name in run.protocols()]
    return Standing(max(saved, default=0), steps, all(step == steps for step in results))


def result_file(run: Run, protocol: str) -> Path:
    """Return where a run's result by `protocol` lies, if it was evaluated."""
    return run.folder / "evaluation" / f"{protocol}.json"


def _evaluated_step(path):
    try:
        return json.loads(path.read_text())["checkpoint"]["step"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def logged_step(run: Run) -> int:
    """Return the last step that a run has written to its log."""
    lines = _log(run)
    return lines[-1]["step"] if lines else 0


def seconds_a_step(runs: Iterable[Run]) -> dict[str, float]:
    """Return the median seconds of a step by row, of the rows that have a log."""
    seconds: dict[str, list[float]] = {}
    for run in runs:
        images = 2 * run.config.sampler.P * run.config.sampler.K
        speeds = [line["images_per_second"] for line in _log(run)]
        seconds.setdefault(run.row, []).extend(images / speed for speed in speeds if speed)
    return {row: statistics.median(found) for row, found in seconds.items() if found}


def _log(run):
    try:
        return read_metrics(run.folder / "metrics.jsonl")
    except (OSError, ValueError):  # none yet, or its last line is being written
        return []


def seconds_left(runs: Sequence[Run], by_row: dict[str, float]) -> dict[str, float]:
    """Return the seconds of training that each unfinished run still needs, by its name.

    Rows without a log of their own take the median of the others; without any, nothing is said.
    """
    if not by_row:
        return {}
    usual = statistics.median(by_row.values())
    left = {}
    for run in runs:
        stands = standing(run)
        left[run.name] = (stands.steps - min(stands.step, stands.steps)) * by_row.get(
            run.row, usual
        )
    return left
