"""Scalars of a run: `metrics.jsonl`, one object a line, TensorBoard's files and a tracker."""

import contextlib
import json
import math
import os
import re
import socket
import time
from pathlib import Path

from PIL import Image

from dmcf_jax.methods.network.levels import LEVEL_OF_STAGE
from dmcf_jax.runs.trackers import Tracker
from dmcf_jax.runtime import hosts
from dmcf_jax.runtime.files import write_atomically

LEVELS = tuple(LEVEL_OF_STAGE.values())
SECONDS_BETWEEN_FLUSHES = 15  # of TensorBoard's file: each waits for the disk


def open_metrics(
    workdir: Path, start: int, name: str, tracker: Tracker
) -> "MetricWriter | NoWriter":
    """Return the writer of a run: of several processes the first writes for all."""
    return MetricWriter(workdir, start, name, tracker) if hosts.is_first() else NoWriter()


class NoWriter:
    """Takes what `MetricWriter` takes and writes nothing."""

    def write(self, step: int, scalars: dict) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class MetricWriter:
    """Writes one line for each logged step, after removing the steps that a resume will repeat."""

    def __init__(
        self,
        workdir: Path,
        start: int,
        name: str = "metrics",
        tracker: Tracker | None = None,
    ):
        """Open `<name>.jsonl` and the event files of a run that resumes at step `start`."""
        self._name, self._tracker = name, tracker or Tracker()
        path = workdir / f"{name}.jsonl"
        keep_lines_until(path, start)
        self._file = open(path, "a")
        self._tensorboard = TensorBoardFile(workdir / "tensorboard" / name, start)

    def write(self, step: int, scalars: dict) -> None:
        """Write the scalars of `step`, to the disk before it returns; NaN becomes null.

        Raises:
            OSError: no room, or the disk is gone.
        """
        ordered = {name: scalars[name] for name in sorted(scalars, key=reading_order)}
        plain = {name: value if math.isfinite(value) else None for name, value in ordered.items()}
        self._file.write(json.dumps({"step": step, **plain}) + "\n")
        self._file.flush()
        self._tensorboard.write(step, ordered)
        self._tracker.write(self._name, step, ordered)

    def close(self) -> None:
        """Close both files; `write` has reported what could not be written."""
        for file in (self._file, self._tensorboard):
            with contextlib.suppress(OSError):
                file.close()


class TensorBoardFile:
    """An event file of TensorBoard, written by the calling thread.

    tensorboardX's own `SummaryWriter` writes in a thread: on a full disk that dies with a
    traceback, and the queue before it fills and stops the caller for ever.
    """

    def __init__(self, folder: Path, start: int):
        """Open a new file that tells readers to discard events after step `start`."""
        from tensorboardX.proto.event_pb2 import SessionLog  # pyright: ignore
        from tensorboardX.record_writer import RecordWriter

        folder.mkdir(parents=True, exist_ok=True)
        # With the process number, since two starts within a second are two files.
        name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}"
        self._records = RecordWriter(str(folder / name))
        self._add(0, file_version="brain.Event:2")
        self._add(start, session_log=SessionLog(status=SessionLog.START))
        self._flush()

    def write(self, step: int, scalars: dict) -> None:
        """Write the scalars of `step`; they reach the disk within a quarter of a minute."""
        from tensorboardX.summary import scalar

        for name, value in scalars.items():
            self._add(step, summary=scalar(name, value))
        if time.monotonic() - self._flushed > SECONDS_BETWEEN_FLUSHES:
            self._flush()

    def picture(self, name: str, step: int, file: Path) -> None:
        """Write a PNG file, which shows under 'Images'."""
        from tensorboardX.proto.summary_pb2 import Summary  # pyright: ignore

        with Image.open(file) as image:
            width, height = image.size
        shown = Summary.Image(width=width, height=height, colorspace=3)
        shown.encoded_image_string = file.read_bytes()
        self._add(step, summary=Summary(value=[Summary.Value(tag=name, image=shown)]))

    def _add(self, step, **what):
        from tensorboardX.proto.event_pb2 import Event  # pyright: ignore

        event = Event(wall_time=time.time(), step=step, **what)
        self._records.write(event.SerializeToString())

    def _flush(self):
        self._records.flush()
        self._flushed = time.monotonic()

    def close(self) -> None:
        """Close the file."""
        self._records.close()


def reading_order(name: str) -> tuple:
    """Return a sorting key: loss, L1..L11, levels and sigmas from low to high, then the rest.

    A compiled function returns its metrics in the order of the alphabet, L10 before L2.
    """
    if re.fullmatch(r"L\d+", name):
        return (1, int(name[1:]))
    kind, _, level = name.partition("_")
    if level in LEVELS:
        return (2, kind, LEVELS.index(level))
    return (0,) if name == "loss" else (3, name)


def keep_lines_until(path: Path, start: int) -> None:
    """Drop the lines of steps after `start`, and a last line that a crash left unfinished."""
    if not path.exists() or not hosts.is_first():
        return
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    kept = [line for line in lines if _step_of(line) <= start]
    write_atomically(path, "".join(line + "\n" for line in kept))


def _step_of(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")


def read_metrics(path: Path) -> list[dict]:
    """Return the lines of a `metrics.jsonl` as dictionaries."""
    return [json.loads(line) for line in Path(path).read_text().splitlines()]
