"""All runs of an experiment at a glance: a table on a terminal, else a line for each event."""

import sys
import time
from collections.abc import Sequence

from rich.live import Live
from rich.table import Table

from dmcf_jax.experiments.plan import Run
from dmcf_jax.experiments.standing import logged_step, seconds_a_step, seconds_left, standing
from dmcf_jax.runtime.console import console, log

SECONDS_BETWEEN_LOOKS = 5.0  # at the runs' folders, for the table on a terminal


class ProgressView:
    """Shows how far every run is; a context manager."""

    def __init__(self, runs: Sequence[Run]):
        """Keep the runs, finished ones too."""
        self._runs = runs
        self._began = {run.name: time.monotonic() for run in runs}
        self._started: set[str] = set()
        self._done = sum(standing(run).finished for run in runs)
        self._looked = float("-inf")
        self._live = Live(console=console, refresh_per_second=1) if sys.stderr.isatty() else None

    def __enter__(self):
        log(f"{len(self._runs)} runs, {self._done} of them finished")
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_):
        if self._live:
            self._live.stop()

    def show(self, active: Sequence) -> None:
        """Look again, if it is time; `active` are the jobs under way."""
        for job in active:
            if job.run.name not in self._started:
                self._started.add(job.run.name)
                self._began[job.run.name] = time.monotonic()
                if not self._live:
                    log(f"{job.run.name}: {job.doing}")
        if self._live and time.monotonic() - self._looked > SECONDS_BETWEEN_LOOKS:
            self._looked = time.monotonic()
            self._live.update(overview(self._runs, {job.run.name: job.doing for job in active}))

    def tell(self, job) -> None:
        """Say how a job ended."""
        seconds = time.monotonic() - self._began[job.run.name]
        self._done += job.problem is None
        how = "failed" if job.problem else f"finished in {spell_seconds(seconds)}"
        log(f"[{self._done}/{len(self._runs)}] {job.run.name}: {how}")


def overview(
    runs: Sequence[Run],
    doing: dict[str, str] | None = None,
    by_row: dict[str, float] | None = None,
) -> Table:
    """Return a table with the state of each run and the time it still needs, where known.

    Args:
        doing: what is being done with a run now, by its name.
        by_row: seconds of a step by row; by default from the logs of the runs.
    """
    left = seconds_left(runs, by_row or seconds_a_step(runs))
    title = f"{len(runs)} runs"
    if left:
        title += f", about {spell_seconds(sum(left.values()))} of training left one after another"
    table = Table("run", "state", "step", "training left", title=title)
    for run in runs:
        stands, now = standing(run), (doing or {}).get(run.name)
        state = now or state_of(stands)
        step = max(stands.step, logged_step(run) if now else 0)
        time_left = spell_seconds(left[run.name]) if left.get(run.name) else ""
        table.add_row(run.name, state, f"{step} / {stands.steps}", time_left)
    return table


def state_of(stands) -> str:
    """Return a word for how far a run is that nobody works on."""
    if stands.finished:
        return "finished"
    if stands.trained:
        return "not evaluated"
    return "begun" if stands.step else "missing"


def spell_seconds(seconds: float) -> str:
    """Return a duration for people: 45 s, 12 min, 3 h 20 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
