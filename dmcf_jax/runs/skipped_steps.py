"""Steps skipped because loss or gradient were not finite, counted over all starts of a run."""

import json
from pathlib import Path

from dmcf_jax.runs.metrics_log import keep_lines_until, read_metrics
from dmcf_jax.runtime import hosts
from dmcf_jax.runtime.console import log


class SkippedSteps:
    """The file `skipped.jsonl` of a run: one line for each skipped step."""

    def __init__(self, workdir: Path, start: int, allowed: int):
        """Read the lines of steps until `start`; later ones, which a resume repeats, are dropped.

        Args:
            allowed: most steps that a run may skip, 0 for none.
        """
        self._path, self._allowed = workdir / "skipped.jsonl", allowed
        keep_lines_until(self._path, start)
        self.count = len(read_metrics(self._path)) if self._path.exists() else 0

    def accept(self, step: int, metrics: dict[str, float], bad: list[str]) -> bool:
        """Return whether the step may be skipped, and if so record and log it.

        Args:
            step: number of the step, as in metrics.jsonl.
            metrics: its metrics; `skipped` is 1 if it left the state unchanged.
            bad: what was not finite, as 'name = value'.
        """
        if not metrics.get("skipped") or self.count >= self._allowed:
            return False
        self.count += 1
        if hosts.is_first():
            with open(self._path, "a") as file:
                file.write(json.dumps({"step": step, "not_finite": bad}) + "\n")
        log(f"step {step} skipped ({self.count} of {self._allowed}): {', '.join(bad)}")
        return True
