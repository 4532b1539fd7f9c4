"""Signals that end a run in order: finish the step, save, say so, leave with status 0."""

import os
import signal


class Interruption:
    """Notes SIGTERM and the first Ctrl-C; a second Ctrl-C leaves at once.

    As a context manager it installs its handlers and puts the old ones back.
    """

    def __init__(self):
        """Nothing was asked for yet."""
        self.reason = ""

    def __enter__(self):
        self._old = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
        for number in self._old:
            signal.signal(number, self._note)
        return self

    def __exit__(self, *_):
        for number, handler in self._old.items():
            signal.signal(number, handler)

    def _note(self, number, _):
        if number == signal.SIGINT and self.reason:
            os._exit(130)
        self.reason = signal.Signals(number).name
