"""What a person sees of a command: log lines, and progress as a bar or as plain lines."""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

# Without a terminal: seconds between two lines, so that a log file stays short.
SECONDS_BETWEEN_LINES = 20.0

console = Console(stderr=True, highlight=False, soft_wrap=True)


def log(message: str) -> None:
    """Print one line for the person at the screen (stderr; stdout is for results)."""
    console.print(message, markup=False)


@contextmanager
def quieter(level: int, *loggers: str) -> Iterator[None]:
    """Hide what other libraries log below `level`; at the end their levels are as before."""
    before = [(logger, logger.level) for logger in map(logging.getLogger, loggers)]
    for logger, _ in before:
        logger.setLevel(level)
    try:
        yield
    finally:
        for logger, old in before:
            logger.setLevel(old)


@contextmanager
def log_time(doing: str) -> Iterator[None]:
    """Log what begins and, when it is done, how many seconds it took."""
    log(f"{doing} ...")
    start = time.perf_counter()
    yield
    log(f"{doing}: {time.perf_counter() - start:.1f} s")


@contextmanager
def progress(doing: str, show: bool = True) -> Iterator[Callable[[int, int], None]]:
    """Yield `update(done, total)`, which shows how far something is; silent unless `show`.

    For work that knows its total only once it has begun.
    """
    with ExitStack() as stack:
        advance, last = None, 0

        def update(done: int, total: int) -> None:
            nonlocal advance, last
            advance = advance or stack.enter_context(progress_bar(doing, total, show))
            advance(done - last)
            last = done

        yield update


@contextmanager
def progress_bar(doing: str, total: int, show: bool = True) -> Iterator[Callable[[int], None]]:
    """Yield `advance(n)`, which moves a bar towards `total`; silent unless `show`."""
    if not show or not total:
        yield lambda n: None
    elif not sys.stderr.isatty():
        yield _plain_lines(doing, total)
    else:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, TimeRemainingColumn(), console=console) as bar:
            task = bar.add_task(doing, total=total)
            yield lambda n: bar.advance(task, n)


def _plain_lines(doing: str, total: int) -> Callable[[int], None]:
    done, last = 0, time.monotonic()

    def advance(n: int) -> None:
        nonlocal done, last
        done += n
        if done >= total or time.monotonic() - last > SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            log(f"{doing}: {done} of {total}")

    return advance
