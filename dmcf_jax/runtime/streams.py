"""Standard streams that a command was started without, as by some schedulers and by `>&-`."""

import os
import sys


def open_closed_streams() -> None:
    """Let nothing be read from and written to standard streams that are closed.

    Otherwise the next file that is opened takes a stream's number, and what a library prints would
    be written into that file.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        _keep_number(number)
        if getattr(sys, name) is None:  # as Python leaves it
            setattr(sys, name, open(os.devnull, "r" if number == 0 else "w"))  # noqa: SIM115


def _keep_number(number: int) -> None:
    try:
        os.fstat(number)
    except OSError:
        opened = os.open(os.devnull, os.O_RDWR)
        if opened != number:  # a lower one is free, too
            os.dup2(opened, number)
            os.close(opened)
