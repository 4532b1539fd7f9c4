"""Scalars of a run: `metrics.jsonl`, one object a line, and TensorBoard event files."""

import json
import os
import re
from pathlib import Path

from dmcf_jax.features import LEVEL_OF_STAGE

LEVELS = tuple(LEVEL_OF_STAGE.values())


class MetricWriter:
    """Writes one line for each logged step; what a resume will do again is cut off first."""

    def __init__(self, workdir: Path, start: int, name: str = "metrics"):
        """Open `<name>.jsonl` and the event files of a run that stands before step `start`."""
        from tensorboardX import SummaryWriter

        path = workdir / f"{name}.jsonl"
        keep_lines_until(path, start)
        self._file = open(path, "a")
        self._tensorboard = SummaryWriter(str(workdir / "tensorboard" / name), purge_step=start)

    def write(self, step: int, scalars: dict) -> None:
        """Write the scalars of `step`, to the disk before it returns."""
        ordered = {name: scalars[name] for name in sorted(scalars, key=reading_order)}
        self._file.write(json.dumps({"step": step, **ordered}) + "\n")
        self._file.flush()
        for name, value in ordered.items():
            self._tensorboard.add_scalar(name, value, step)

    def close(self) -> None:
        """Flush and close both files."""
        self._file.close()
        self._tensorboard.close()


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
    if not path.exists():
        return
    kept = [line for line in path.read_text().splitlines() if _step_of(line) <= start]
    temporary = path.with_name(path.name + ".incomplete")
    temporary.write_text("".join(line + "\n" for line in kept))
    os.replace(temporary, path)


def _step_of(line: str) -> float:
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError):
        return float("inf")


def read_metrics(path: Path) -> list[dict]:
    """Return the lines of a `metrics.jsonl` as dictionaries."""
    return [json.loads(line) for line in Path(path).read_text().splitlines()]
