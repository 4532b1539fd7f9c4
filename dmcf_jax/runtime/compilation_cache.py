"""Compiled programs kept on disk between runs: a second start skips most of its compilation."""

import os
import sys
from pathlib import Path

OFF = "off"
# JAX's own bound of 1 s leaves out what together is seconds of a small network's start.
_WORTH_KEEPING_SECONDS = "0.1"


def default_folder() -> Path | None:
    """Return the user's cache folder for compiled programs (`XDG_CACHE_HOME` or ~/.cache).

    None where there is no home or none that can be written to, as for a container's user.
    """
    try:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        folder = Path(base, "dmcf_jax", "compiled")
        folder.mkdir(parents=True, exist_ok=True)
    except (RuntimeError, OSError):
        return None
    return folder if os.access(folder, os.W_OK) else None


def _use_default() -> None:
    if found := default_folder():
        os.environ["JAX_COMPILATION_CACHE_DIR"] = str(found)
        return
    os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "false"
    text = "note: there is no home folder to keep compiled programs in: each start compiles anew"
    print(f"{text} (--compilation_cache=DIR keeps them)", file=sys.stderr)


def keep_compiled(folder: str = "") -> None:
    """Keep what this process compiles, and use what was kept; call it before JAX is imported.

    JAX reads its settings from the environment, so that a command which needs no JAX does not
    pay for its import here. What the user has set there wins over the default.

    Args:
        folder: '' for the user's cache folder, 'off' for none. Whoever can write to it can run
            code here: name none that others may write to.
    """
    if folder == OFF:
        os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "false"
    elif folder:
        os.environ["JAX_COMPILATION_CACHE_DIR"] = str(Path(folder).absolute())
    elif "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        _use_default()
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", _WORTH_KEEPING_SECONDS)
