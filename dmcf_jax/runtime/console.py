"""What a person sees of a run: status lines, then a bar, or plain lines without a terminal."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from dmcf_jax.runs.metrics_log import reading_order

console = Console(stderr=True, highlight=False, soft_wrap=True)


def say(message: str) -> None:
    """Print one line for the person at the screen (stderr; stdout is for results)."""
    console.print(message, markup=False)


@contextmanager
def timed(doing: str) -> Iterator[None]:
    """Say what begins and, when it is done, how long it took."""
    say(f"{doing} ...")
    start = time.perf_counter()
    yield
    say(f"{doing}: {time.perf_counter() - start:.1f} s")


@contextmanager
def counting(doing: str) -> Iterator[Callable[[int, int], None]]:
    """Give a function (done, total) that shows how far something is."""
    if not sys.stderr.isatty():
        yield _plain_counter(doing)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as bar:
        task = bar.add_task(doing)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _plain_counter(doing):
    """Lines at each quarter, so that a log file stays short."""
    said = set()

    def count(done, total):
        quarter = 4 * done // max(total, 1)
        if quarter not in said:
            said.add(quarter)
            say(f"{doing}: {done} of {total}")

    return count


class TrainingDisplay:
    """Progress of training: step, ETA, images/s, data-wait %, loss and sigmas."""

    def __init__(self, start: int, steps: int):
        """Show a bar on a terminal; elsewhere each `show` prints a line."""
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
            f"loss {scalars['loss']:.3f} | sigma {sigma} | "
            f"{scalars['images_per_second']:.0f} images/s | "
            f"data wait {100 * scalars['data_wait']:.1f}%"
        )
        self._bar.update(self._task, completed=step, description=text)
        if not self._live:
            say(f"step {step}/{self._steps} | ETA {seconds_left:.0f} s | {text}")

    def close(self) -> None:
        """Stop drawing."""
        if self._live:
            self._bar.stop()
