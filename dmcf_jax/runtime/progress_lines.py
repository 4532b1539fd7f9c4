"""A progress bar on a terminal, a line now and then where there is none."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

SECONDS_BETWEEN_LINES = 20.0


@contextlib.contextmanager
def bar(title: str, total: int, show: bool) -> Iterator[Callable[[int], None]]:
    """Yield `advance(n)`, which moves a bar towards `total`; silent unless `show`."""
    if not show or total == 0:
        yield lambda n: None
    elif sys.stderr.isatty():
        yield from _rich_bar(title, total)
    else:
        yield _plain_lines(title, total)


@contextlib.contextmanager
def counter(title: str, show: bool) -> Iterator[Callable[[int, int], None]]:
    """Yield `tell(done, total)`, for work that only knows its total once it has begun."""
    with contextlib.ExitStack() as stack:
        advance, last = None, 0

        def tell(done: int, total: int) -> None:
            nonlocal advance, last
            advance = advance or stack.enter_context(bar(title, total, show))
            advance(done - last)
            last = done

        yield tell


def _rich_bar(title: str, total: int) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task(title, total=total)
        yield lambda n: progress.advance(task, n)


def _plain_lines(title: str, total: int) -> Callable[[int], None]:
    done, last = 0, time.monotonic()

    def advance(n: int) -> None:
        nonlocal done, last
        done += n
        if done >= total or time.monotonic() - last > SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            print(f"{title}: {done}/{total}", file=sys.stderr, flush=True)

    return advance
