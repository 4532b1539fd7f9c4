"""Files and folders that appear complete or not at all, even when a process is killed."""

import contextlib
import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from dmcf_jax.errors import UserError
from dmcf_jax.runtime.locks import lock

# What reading a damaged zip archive may raise: flipped bits also ask for unknown compressions
# (NotImplementedError) and for passwords (RuntimeError).
DAMAGED_ARCHIVE = (
    OSError,
    ValueError,
    KeyError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    MemoryError,
    zipfile.BadZipFile,
    zlib.error,
)


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike, cure: str | None = None) -> Iterator[Path]:
    """Yield a path beside `path` to write a file to; rename it to `path` at the end.

    If the body fails, nothing is left of the new file and an old one stays as it was.

    Args:
        cure: what a user can do about a disk that fails; None to let `OSError` pass.

    Raises:
        UserError: the file cannot be written, with `cure`.
        OSError: the same, without `cure`.
    """
    path = Path(path)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.incomplete")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _flush_to_disk(temporary)
        os.replace(temporary, path)
    except OSError as error:
        if cure is None:
            raise
        reason = error.strerror or error
        raise UserError(f"{path} cannot be written: {reason}. {cure}", about=str(path)) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_atomically(
    path: str | os.PathLike, content: str | bytes, cure: str | None = None
) -> Path:
    """Write `content` (text as UTF-8) to `path`, complete or not at all; return the path.

    Args:
        cure: see `atomic_path`, also for what is raised.
    """
    with atomic_path(path, cure) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
    return Path(path)


def _flush_to_disk(path: Path) -> None:
    """Wait until the file is on the disk, so that a crash after the rename loses nothing."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def sibling_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder beside `folder`, for the caller to rename to it; else remove it.

    It is locked while its process lives, so that the next call can recognise and remove what a
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
            lock(handle)
        yield made
    finally:
        os.close(handle)
        shutil.rmtree(made, ignore_errors=True)


def _remove_if_abandoned(folder: Path) -> None:
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            lock(handle)
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(handle)
