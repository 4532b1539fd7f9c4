"""Trains and evaluates what is missing, some runs at a time, each a process of its own.

A run is trained by the same command that a person would type, so it survives what one run
survives: whatever ends this program, the same command goes on where every run stands.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from dmcf_jax.errors import UserError
from dmcf_jax.experiments.plan import Run
from dmcf_jax.experiments.progress_view import ProgressView
from dmcf_jax.experiments.standing import standing
from dmcf_jax.runtime.console import log

POLL_SECONDS = 0.5
SHOWN_LINES = 8  # of a failed run's log


class Job:
    """One run under way: training, then evaluation, both logged to one file."""

    def __init__(self, run: Run, slot: int, jobs: int, logs: Path):
        """Start what the run needs next, on its share of the machine."""
        self.run, self.slot, self._jobs = run, slot, jobs
        self.log = logs / f"{run.row}_{run.folder.name}.log"
        self.problem: str | None = None
        self.doing = ""
        self._process: subprocess.Popen | None = None
        self.advance()

    def advance(self) -> bool:
        """Go on to what is next; return whether there was anything."""
        stands = standing(self.run)
        if stands.finished:
            return False
        self.doing = "evaluating" if stands.trained else "training"
        command = self.run.evaluate_command() if stands.trained else self.run.train_command()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log, "a") as log:
            log.write(f"$ {' '.join(command)}\n")
            log.flush()
            self._process = _start(command, log, self.slot, self._jobs)
        return True

    def ended(self) -> bool:
        """Return whether the run is over: finished, or with a `problem`."""
        status = self._process.poll()
        if status is None:
            return False
        stands = standing(self.run)
        reached = stands.trained if self.doing == "training" else stands.finished
        if status == 0 and reached:
            return not self.advance()
        why = f"ended with status {status}" if status else "was stopped before its end"
        self.problem = f"{self.run.name} {why} while {self.doing}:\n{_tail(self.log)}"
        return True

    def ask_to_end(self) -> None:
        """Ask the process to save and end."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        """Ask the process to save and end, and wait for it."""
        self.ask_to_end()
        self._process.wait()


def _start(command: list[str], log: IO, slot: int, jobs: int) -> subprocess.Popen:
    cores = share(sorted(os.sched_getaffinity(0)), slot, jobs)
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        env=os.environ | devices_of(slot, jobs, os.environ),
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
        # Ctrl-C reaches this program alone, which passes it on once.
        start_new_session=True,
    )


def share(things: Sequence, slot: int, jobs: int) -> list:
    """Return the part of `things` that belongs to `slot` of `jobs`: all where they are too few."""
    if len(things) < jobs:
        return list(things)
    return list(things[slot * len(things) // jobs : (slot + 1) * len(things) // jobs])


def devices_of(slot: int, jobs: int, environment) -> dict[str, str]:
    """Return the environment that gives a slot its share of `CUDA_VISIBLE_DEVICES`, if set."""
    listed = [name for name in environment.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    return {"CUDA_VISIBLE_DEVICES": ",".join(share(listed, slot, jobs))} if listed else {}


def _tail(log):
    """Return the message that a run ended with, or the last lines of its log."""
    lines = log.read_text(errors="replace").splitlines()
    told = [number for number, line in enumerate(lines) if line.startswith("error: ")]
    lines = lines[told[-1] :][:SHOWN_LINES] if told else lines[-SHOWN_LINES:]
    return "\n".join([*(f"      {line}" for line in lines), f"    the whole log: {log}"])


def run_missing(runs: Sequence[Run], jobs: int, logs: Path) -> None:
    """Bring every run to its end, `jobs` at a time; finished ones are left alone.

    A run that fails does not stop the others.

    Raises:
        UserError: at the end, naming each run that failed with the last lines of its log.
    """
    waiting = deque(run for run in runs if not standing(run).finished)
    problems: list[str] = []
    active: list[Job] = []
    with ProgressView(runs) as view, _stopping(active):
        while waiting or active:
            for slot in set(range(jobs)) - {job.slot for job in active}:
                while waiting and standing(waiting[0]).finished:  # by another process meanwhile
                    waiting.popleft()
                if waiting:
                    active.append(Job(waiting.popleft(), slot, jobs, logs))
            view.show(active)
            time.sleep(POLL_SECONDS)
            for job in [job for job in active if job.ended()]:
                active.remove(job)
                view.tell(job)
                problems += [job.problem] if job.problem else []
    if problems:
        raise UserError.listing("these runs failed; the same command tries them again:", problems)


@contextlib.contextmanager
def _stopping(active: list[Job]) -> Iterator[None]:
    """Let runs save and end when this program is interrupted, asked to end, or fails."""

    def leave(number, frame):
        raise SystemExit(0)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        if active:
            log(f"{len(active)} runs save and end; the same command goes on from there ...")
        for end in (Job.ask_to_end, Job.stop):  # all save at the same time
            for job in active:
                end(job)
