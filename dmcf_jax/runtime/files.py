"""Folders under construction: beside their final place, gone when the work fails or is killed."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def sibling(folder: Path) -> Iterator[Path]:
    """Yield an empty folder beside `folder`, to be renamed to it; remove it otherwise.

    It is locked while its process lives, so that the next call can tell and remove what a
    killed process left.

    Raises:
      OSError: it cannot be made.
    """
    prefix = f".{folder.name}."
    folder.parent.mkdir(parents=True, exist_ok=True)
    for leftover in folder.parent.glob(f"{prefix}*"):
        _remove_if_abandoned(leftover)
    made = Path(tempfile.mkdtemp(prefix=prefix, dir=folder.parent))
    os.chmod(made, 0o755)
    handle = os.open(made, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network disks have no locks
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield made
    finally:
        os.close(handle)
        shutil.rmtree(made, ignore_errors=True)


def _remove_if_abandoned(folder: Path) -> None:
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(handle)
