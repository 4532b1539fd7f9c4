"""Orbax's tracebacks of failed writes kept off the screen, while a checkpoint folder is open."""

import functools
import logging
import sys
import threading
from collections.abc import Callable
from typing import Any

_lock = threading.Lock()
_users = 0


def hush() -> None:
    """Hide tracebacks of failed writes, which `Checkpoints.wait` raises as `UserError`s.

    Until `restore`. It may be called again, in other threads, too: the last `restore` counts.
    """
    global _users
    with _lock:
        _users += 1
        logging.getLogger("absl").addFilter(_is_not_an_orbax_traceback)  # adds it once
        if not _is_ours(sys.unraisablehook):
            sys.unraisablehook = functools.partial(_unless_too_late, sys.unraisablehook)


def restore() -> None:
    """Put the filter and the hook of the importing program back."""
    global _users
    with _lock:
        _users -= 1
        if not _users:
            logging.getLogger("absl").removeFilter(_is_not_an_orbax_traceback)
            if _is_ours(sys.unraisablehook):  # one that was set meanwhile may call ours
                (sys.unraisablehook,) = sys.unraisablehook.args  # pyright: ignore


def _is_ours(hook: Callable[[Any], None]) -> bool:
    return isinstance(hook, functools.partial) and hook.func is _unless_too_late


def _unless_too_late(show: Callable[[Any], None], unraisable: Any) -> None:
    """Call `show`, the hook before, but for writes that report to an event loop that has ended.

    Of the arrays of a checkpoint the first that fails ends orbax's loop; each of the others then
    complains, in tensorstore's threads, that it cannot report its result.
    """
    if str(unraisable.exc_value) != "Event loop is closed":
        show(unraisable)


def _is_not_an_orbax_traceback(record: logging.LogRecord) -> bool:
    return not (record.exc_info and "orbax" in record.pathname)
