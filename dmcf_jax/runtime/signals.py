"""Signals that end a run in order: finish the step, save, log it, exit with status 0."""

import contextlib
import os
import signal
import threading

from jax.experimental import multihost_utils

from dmcf_jax.runtime import hosts

# SIGTERM is what preemption sends on cloud machines and what `kill`, Kubernetes and systemd send;
# SIGUSR1 is the usual notice of Slurm (#SBATCH --signal=USR1@120).
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


class Interruption:
    """Records SIGTERM, SIGUSR1 and the first Ctrl-C; a second Ctrl-C leaves at once.

    As a context manager it installs its handlers and puts the old ones back. Before `hold` was
    called there is no state to save yet, and a signal ends the program where it is.

    Of several processes each may get a signal at another step. JAX's preemption service, which
    listens for SIGTERM itself, agrees on the step for all; the other signals are passed on to it.

    Attributes:
        reason: name of the signal that came, '' for none.
    """

    def __init__(self):
        """Nothing was asked for yet."""
        self.reason, self._came, self._held, self._old = "", "", False, {}

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():  # Python allows no other
            numbers = [n for n in SIGNALS if not (hosts.joined() and n == signal.SIGTERM)]
            self._old = {number: signal.signal(number, self._note) for number in numbers}
        return self

    def __exit__(self, *_):
        for number, handler in self._old.items():
            signal.signal(number, handler)

    def hold(self) -> None:
        """From now on only record signals: the caller looks at `reason` and saves."""
        self._held = True

    def ends(self, step: int) -> bool:
        """Return whether the run ends before `step`; of several processes all must ask, each step.

        Args:
            step: number of the step that would be next.
        """
        if hosts.joined() and multihost_utils.reached_preemption_sync_point(step):
            self.reason = self._came or "SIGTERM to one of the processes"
        return bool(self.reason)

    def _note(self, number, _):
        again = number == signal.SIGINT and self._came == "SIGINT"
        self._came = signal.Signals(number).name
        if again:
            _tell("SIGINT again: leaving at once; the last checkpoint stays.")
            os._exit(130)
        if hosts.joined():
            os.kill(os.getpid(), signal.SIGTERM)
            return
        self.reason = self._came
        if not self._held:
            _tell(f"{self.reason}: stopped before a step was taken, so nothing is lost.")
            raise SystemExit(130 if number == signal.SIGINT else 0)
        _tell(f"{self.reason}: finishing this step and saving (Ctrl-C twice leaves at once) ...")


def _tell(line: str) -> None:
    """Write a line to stderr without its buffer, which the signal may have come in the midst of."""
    with contextlib.suppress(OSError):  # nobody reads it any more
        os.write(2, f"\n{line}\n".encode())
