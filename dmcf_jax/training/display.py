"""Progress of training on the screen: step, remaining time, speed, loss and sigmas."""

import sys

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from dmcf_jax.runs.metrics_log import reading_order
from dmcf_jax.runtime.console import console, log


class TrainingDisplay:
    """A bar on a terminal; elsewhere one line for each logged step."""

    def __init__(self, start: int, steps: int):
        """Start to show.

        Args:
            start: steps already taken.
            steps: steps of the run in all.
        """
        self._live = sys.stderr.isatty()
        self._steps = steps
        columns = (TextColumn("step"), MofNCompleteColumn(), BarColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, TextColumn("{task.description}"), console=console)
        self._task = self._bar.add_task("", total=steps, completed=start)
        if self._live:
            self._bar.start()

    def advance(self, step: int) -> None:
        """Move the bar to `step`."""
        self._bar.update(self._task, completed=step)

    def show(self, step: int, scalars: dict, seconds_left: float) -> None:
        """Show the scalars of a logged step."""
        names = sorted((k for k in scalars if k.startswith("sigma_")), key=reading_order)
        sigma = ":".join(f"{scalars[name]:.3f}" for name in names)
        text = (
            f"loss {scalars['loss']:.3f} | {f'sigma {sigma} | ' if sigma else ''}"
            f"{scalars['images_per_second']:.0f} images/s | "
            f"data wait {100 * scalars['data_wait']:.1f}%"
        )
        self._bar.update(self._task, completed=step, description=text)
        if not self._live:
            log(f"step {step}/{self._steps} | ETA {seconds_left:.0f} s | {text}")

    def close(self) -> None:
        """Stop drawing."""
        if self._live:
            self._bar.stop()
