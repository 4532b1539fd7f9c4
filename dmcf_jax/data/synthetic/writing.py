"""Renders listed shots into files, in one process for each core.

Drawing is Python and holds its lock, so threads would not help. A worker is a plain command,
which, unlike a forked or spawned copy of the caller, works from notebooks and beside JAX.
"""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from dmcf_jax.data.synthetic.person import make_person
from dmcf_jax.data.synthetic.shots import Shot
from dmcf_jax.runtime.threads import cores

_FEWEST_PER_WORKER = 300  # fewer take less time than starting Python
_SHOTS_AT_ONCE = 60
_JPEG_QUALITY = 92


def write_shots(root: Path, shots: Sequence[Shot], tell: Callable[[], None]) -> None:
    """Render shots to their files in `root`.

    Args:
        root: folder of the tree.
        shots: those of one person in a row, which saves time.
        tell: called once for each picture written.

    Raises:
        OSError: a picture cannot be written.
    """
    for folder in sorted({os.path.dirname(shot.name) for shot in shots}):
        (root / folder).mkdir(parents=True, exist_ok=True)
    workers = min(cores(), len(shots) // _FEWEST_PER_WORKER)
    if workers < 2 or not sys.executable:
        for _ in _written(root, shots):
            tell()
    else:
        _write_in_workers(root, shots, workers, tell)


def _written(root: Path, shots: Iterable[Shot]) -> Iterable[Shot]:
    """Yield each shot once its file is there."""
    person = None
    for shot in shots:
        if person is None or (person.seed, person.identity) != (shot.seed, shot.identity):
            person = make_person(shot.seed, shot.identity)
        options: dict[str, Any] = {"quality": _JPEG_QUALITY} if shot.name.endswith(".jpg") else {}
        Image.fromarray(shot.take(person)).save(root / shot.name, **options)
        yield shot


def _write_in_workers(
    root: Path, shots: Sequence[Shot], workers: int, tell: Callable[[], None]
) -> None:
    """Deal parts to workers as they ask, so that a slow one does not keep the others."""
    parts = queue.SimpleQueue()
    for start in range(0, len(shots), _SHOTS_AT_ONCE):
        parts.put(shots[start : start + _SHOTS_AT_ONCE])
    done = queue.SimpleQueue()
    processes = [_start_worker(root) for _ in range(workers)]
    dealers = [
        threading.Thread(target=_deal, args=(process, parts, done), daemon=True)
        for process in processes
    ]
    try:
        for dealer in dealers:
            dealer.start()
        remaining = len(shots)
        while remaining:
            remaining -= _count(done.get(), tell)
    finally:
        for process, dealer in zip(processes, dealers, strict=True):
            _end(process, dealer)


def _end(process: subprocess.Popen, dealer: threading.Thread) -> None:
    assert process.stdin and process.stdout  # pipes
    process.kill()
    process.wait()
    dealer.join()  # the end of the pipes wakes it
    process.stdout.close()
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()


def _start_worker(root: Path) -> subprocess.Popen:
    above = str(Path(__file__).parents[3])  # the folder that the package is in
    paths = [above, *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.Popen(
        [sys.executable, "-m", __name__, str(root)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _deal(process: subprocess.Popen, parts: queue.SimpleQueue, done: queue.SimpleQueue) -> None:
    """Give parts to one worker until there are none, and pass its answers on."""
    assert process.stdin and process.stdout  # pipes
    try:
        while True:
            part = parts.get_nowait()
            process.stdin.write(json.dumps(part) + "\n")
            process.stdin.flush()
            done.put(json.loads(process.stdout.readline()))
    except queue.Empty:
        pass
    except (OSError, ValueError):  # it ended, or was ended when another one failed
        done.put({"failed": f"a worker that renders pictures ended ({process.poll()})"})


def _count(answer: dict, tell: Callable[[], None]) -> int:
    if "error" in answer:
        raise OSError(*answer["error"])
    if "failed" in answer:
        raise RuntimeError(answer["failed"])
    for _ in range(answer["written"]):
        tell()
    return answer["written"]


def _work(root: Path) -> None:
    """Answer each line of shots on standard input with a line on standard output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller ends its workers
    for line in sys.stdin:
        shots = [Shot(*values) for values in json.loads(line)]
        try:
            answer = {"written": sum(1 for _ in _written(root, shots))}
        except OSError as error:
            answer = {"error": [error.errno, error.strerror, error.filename]}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    _work(Path(sys.argv[1]))
