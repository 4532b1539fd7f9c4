"""Work spread over threads, results in order, never more than a window of them in memory."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def map_in_threads(
    function: Callable[[A], B], items: Iterable[A], threads: int | None = None
) -> Iterator[B]:
    """Yield `function(item)` for each item, in order, computed ahead in `threads` threads.

    An exception is raised where its result would have been yielded; work not begun is dropped.
    """
    threads = threads or cores()
    pool = ThreadPoolExecutor(threads)
    try:
        ahead: deque = deque()
        for item in items:
            ahead.append(pool.submit(function, item))
            if len(ahead) > 4 * threads:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
