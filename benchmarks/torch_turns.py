"""PyTorch in a process of its own, called in turn with ours.

Neither side has the other's heap, threads and libraries: this process never imports PyTorch.
"""

import contextlib
import math
import multiprocessing
import time
from collections.abc import Callable, Iterator

from ml_collections import ConfigDict

from benchmarks.measure import seconds_of


@contextlib.contextmanager
def started(what: str, config: ConfigDict) -> Iterator[Callable[[int], float]]:
    """Yield a function that works `rounds` times in another process and returns its seconds.

    They are not a number from the moment that PyTorch fails; its error is printed.

    Args:
        what: 'train_step' or 'embed'.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    arguments = (theirs, what, config.to_dict())
    process = context.Process(target=_serve, args=arguments, daemon=True)
    process.start()
    theirs.close()  # so that the end of the process is seen

    def seconds(rounds: int) -> float:
        try:
            ours.send(rounds)
            return ours.recv()
        except (OSError, EOFError):
            return math.nan

    yield seconds
    with contextlib.suppress(OSError):
        ours.send(None)
    process.join()


def _serve(pipe, what, config):
    from benchmarks import torch_process

    call, device = torch_process.make(what, ConfigDict(config))
    call()  # compiles while ours is compiled
    while (rounds := pipe.recv()) is not None:
        start = time.perf_counter()
        for _ in range(rounds):
            call()
        torch_process.wait_for(device)
        pipe.send(time.perf_counter() - start)


def compare(
    ours: Callable, theirs: Callable[[int], float], repeats: int, rounds: int
) -> tuple[list[float], list[float]]:
    """Return the seconds of both, one repetition each in turn, after two unmeasured ones.

    Args:
        ours: does the work once.
        theirs: returns the seconds of so many times.
        rounds: calls in one repetition, which is waited for at its end only.
    """

    def several():
        return [ours() for _ in range(rounds)]

    pairs = [(*seconds_of(several, 1, warm_up=0), theirs(rounds)) for _ in range(repeats + 2)]
    mine, other = ([seconds / rounds for seconds in side] for side in zip(*pairs[2:], strict=True))
    return mine, other
