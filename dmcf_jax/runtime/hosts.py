"""How the processes of one run work together: who writes, who waits, who failed.

On one process all of this does nothing. Arrays travel by the collectives of the compiled step;
texts through the key-value store of JAX's coordinator, which process 0 runs.
"""

import contextlib
import itertools
import json
import os
import sys
import threading
import time
import traceback
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np
from jax._src import distributed  # the store has no public name; orbax reaches it the same way
from jax.experimental import multihost_utils

from dmcf_jax.errors import Problem, UserError

FAILURE = "dmcf_jax/failure"
LISTEN_SECONDS = 0.5
# An error of the network is often the echo of another process's end: time to hear of that first.
ECHO_SECONDS = 2.0
LONGEST_WAIT_SECONDS = 12 * 3600
_waits = itertools.count()


def joined() -> bool:
    """Return whether this process is one of several; asks for no device."""
    return jax.distributed.is_initialized()


def is_first() -> bool:
    """Return whether this is the process that prints and writes files."""
    return not joined() or distributed.global_state.process_id == 0


def _store() -> Any:
    """Return the client of JAX's key-value store; it has no public type."""
    return distributed.global_state.client


def wait_for_all() -> None:
    """Return when every process has come to this call, which all make in the same order."""
    if joined():
        _store().wait_at_barrier(f"dmcf_jax/{next(_waits)}", LONGEST_WAIT_SECONDS * 1000)


@contextlib.contextmanager
def first_alone() -> Iterator[None]:
    """Let process 0 run the body before the others do: what it writes, they find."""
    if not is_first():
        wait_for_all()
    yield
    if is_first():
        wait_for_all()


def agree(inputs: Mapping[str, Any]) -> None:
    """Compare `inputs` with those of every other process.

    Args:
        inputs: values by name, as JSON can write them.

    Raises:
        UserError: on every process, naming what differs.
    """
    if not joined():
        return
    texts = [json.dumps(value, default=str).encode() for value in inputs.values()]
    mine = np.array([zlib.crc32(text) for text in texts], np.uint32)
    everyones = multihost_utils.process_allgather(mine)
    differing = [
        Problem(name, f"{name}: process {process} differs from process 0")
        for column, name in enumerate(inputs)
        for process in np.flatnonzero(everyones[:, column] != everyones[0, column])
    ]
    if differing:
        raise UserError.listing(
            "the processes of this run disagree about:",
            differing,
            "Start all with the same command, on the same data and a --workdir that all share.",
        )


@contextlib.contextmanager
def ending_together() -> Iterator[None]:
    """End every process with the message of the first one that fails in the body.

    Meanwhile only process 0 prints.
    """
    if not joined():
        yield
        return
    from dmcf_jax.runtime import (
        console as progress,  # here, since the logs that it prints ask this module
    )

    progress.console.quiet = not is_first()
    done = threading.Event()
    listener = threading.Thread(target=_listen, args=(done,), daemon=True, name="hosts")
    listener.start()
    try:
        yield
    except (Exception, KeyboardInterrupt, SystemExit) as error:
        _end_all(error, done)
    done.set()
    listener.join(timeout=5)  # Python that ends while a thread is inside JAX aborts the process


def _listen(done: threading.Event) -> None:
    """Leave as soon as a process reports a failure, even while a collective waits for it."""
    while not done.wait(LISTEN_SECONDS):
        failure = _reported_failure()
        if failure and not done.is_set():
            _leave(f"error: {failure}", 2)


def _reported_failure() -> str:
    """Return what a process reported before it failed, '' for nothing."""
    try:
        return _store().key_value_try_get(FAILURE)
    except jax.errors.JaxRuntimeError as error:
        if "NOT_FOUND" in str(error):
            return ""
        # Process 0 keeps the store, so it is gone.
        return "process 0, where all processes meet, cannot be reached: look at its last lines"


def _end_all(error: BaseException, done: threading.Event) -> None:
    done.set()
    mistake = isinstance(error, UserError)
    if not mistake:
        until = time.monotonic() + ECHO_SECONDS
        while time.monotonic() < until and not _reported_failure():
            time.sleep(LISTEN_SECONDS / 5)
        if failure := _reported_failure():
            _leave(f"error: {failure}", 2)
        traceback.print_exception(error)
    number = distributed.global_state.process_id
    text = str(error) if mistake else f"{type(error).__name__}: {error}".splitlines()[0]
    with contextlib.suppress(jax.errors.JaxRuntimeError):  # another process was quicker
        _store().key_value_set(FAILURE, f"process {number} failed: {text}")
    if number == 0:
        time.sleep(2 * LISTEN_SECONDS)  # the others ask this process
    echo = "" if mistake else "\nIf another process ended first, its last lines give the reason."
    _leave(f"error: process {number} failed: {text}{echo}", 2 if mistake else 1)


def _leave(message: str, status: int) -> None:
    """Print and end at once: an orderly exit would wait for processes that hang or are gone."""
    sys.stdout.flush()
    print(message, file=sys.stderr, flush=True)
    os._exit(status)
