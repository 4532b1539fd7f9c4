"""Locks on open files and folders; the system drops them when the process ends, however."""

from typing import TextIO

try:
    import fcntl
except ImportError:  # Windows
    text = "dmcf_jax runs on Linux and macOS; on Windows use WSL 2 or a container"
    raise ImportError(text) from None


def lock(handle: int | TextIO) -> None:
    """Lock for this process alone, without waiting.

    Raises:
        BlockingIOError: another process holds it.
        OSError: the disk has no locks, as some network disks.
    """
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
