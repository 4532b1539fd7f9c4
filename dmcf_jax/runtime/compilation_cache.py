"""Compiled programs kept on disk between runs: a second start skips most of its compilation."""

import os
from pathlib import Path

OFF = "off"
# JAX's own bound of 1 s leaves out what together is seconds of a small network's start.
_WORTH_KEEPING_SECONDS = "0.1"


def default_folder() -> Path:
    """Return the user's cache folder for compiled programs (`XDG_CACHE_HOME` or ~/.cache)."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base, "dmcf_jax", "compiled")


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
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(default_folder()))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", _WORTH_KEEPING_SECONDS)
