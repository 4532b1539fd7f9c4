"""Decode every image of a tree once and list those that cannot be used."""

import os
from collections.abc import Sequence
from pathlib import Path

from dmcf_jax.data import decode
from dmcf_jax.runtime.console import progress_bar
from dmcf_jax.runtime.threads import map_in_threads


def read_image_file(path: Path) -> bytes:
    """Return a file's bytes, or raise `decode.BadImage` with the reason it cannot be read."""
    try:
        if os.path.getsize(path) > decode.MAX_BYTES:
            raise decode.BadImage(f"is larger than {decode.MAX_BYTES >> 20} MiB")
        return path.read_bytes()
    except OSError as error:
        raise decode.BadImage(f"cannot be read ({error.strerror})") from None


def verify_images(root: Path, paths: Sequence[str], show: bool = False) -> list[str]:
    """Return 'path: reason' for every image that is empty, truncated, too large or unreadable.

    Args:
      root: root of the data set.
      paths: paths relative to it.
      show: whether to show a progress bar.
    """

    def problem(path: str) -> str | None:
        try:
            decode.decode(read_image_file(root / path), size=None)
        except decode.BadImage as error:
            return f"{path}: {error}"
        return None

    problems = []
    with progress_bar("verifying images", len(paths), show) as advance:
        for found in map_in_threads(problem, paths):
            problems += [found] if found else []
            advance(1)
    return problems
