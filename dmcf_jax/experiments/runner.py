"""Trains and evaluates the runs that are missing, some at a time, each in its own process.

A run is trained by the command that a person would type, so that it survives what one run
survives: after any interruption the same command resumes each run from its latest checkpoint.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from dmcf_jax.errors import Problem, UserError
from dmcf_jax.experiments.plan import Run
from dmcf_jax.experiments.status import overview, spell_seconds, status
from dmcf_jax.runtime.console import console, log

POLL_SECONDS = 0.5
SHOWN_LINES = 8  # of a failed run's log


class Job:
    """One run under way: training, then evaluation, both logged to one file."""

    def __init__(self, run: Run, slot: int, jobs: int, logs: Path):
        """Start what the run needs next, on its share of the machine."""
        self.run, self.slot, self._jobs = run, slot, jobs
        self.log = logs / f"{run.row}_{run.folder.name}.log"
        self.problem: Problem | None = None
        self.doing = ""
        self._began = time.monotonic()
        # Of the latest `advance`; None if another process has finished the run meanwhile.
        self._process: subprocess.Popen | None = None
        self.advance()

    def advance(self) -> bool:
        """Start what is next; return whether there was anything."""
        now = status(self.run)
        if now.finished:
            return False
        self.doing = "evaluating" if now.trained else "training"
        command = self.run.evaluate_command() if now.trained else self.run.train_command()
        log(f"{self.run.name}: {self.doing}")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log, "a") as file:
            file.write(f"$ {' '.join(command)}\n")
            file.flush()
            self._process = _start(command, file, self.slot, self._jobs)
        return True

    def ended(self) -> bool:
        """Return whether the run is over: finished, or with a `problem`."""
        if self._process is None:
            return True
        code = self._process.poll()
        if code is None:
            return False
        now = status(self.run)
        reached = now.trained if self.doing == "training" else now.finished
        if code == 0 and reached:
            return not self.advance()
        why = f"ended with status {code}" if code else "was stopped before its end"
        text = f"{self.run.name} {why} while {self.doing}:\n{_tail(self.log)}"
        self.problem = Problem(self.run.name, text)
        return True

    def outcome(self) -> str:
        """Return how it ended, in a few words."""
        if self.problem:
            return "failed"
        return f"finished in {spell_seconds(time.monotonic() - self._began)}"

    def ask_to_end(self) -> None:
        """Ask the process to save and end."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        """Ask the process to save and end, and wait for it."""
        self.ask_to_end()
        if self._process:
            self._process.wait()


def _start(command: list[str], log_file: IO, slot: int, jobs: int) -> subprocess.Popen:
    cores = share(sorted(os.sched_getaffinity(0)), slot, jobs)
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=log_file,
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


def devices_of(slot: int, jobs: int, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment that gives a slot its share of `CUDA_VISIBLE_DEVICES`, if set."""
    listed = [name for name in environment.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    return {"CUDA_VISIBLE_DEVICES": ",".join(share(listed, slot, jobs))} if listed else {}


def _tail(path: Path) -> str:
    """Return the message that a run ended with, or the last lines of its log."""
    lines = path.read_text(errors="replace").splitlines()
    errors = [number for number, line in enumerate(lines) if line.startswith("error: ")]
    lines = lines[errors[-1] :][:SHOWN_LINES] if errors else lines[-SHOWN_LINES:]
    return "\n".join([*(f"      {line}" for line in lines), f"    the complete log: {path}"])


def run_missing(runs: Sequence[Run], jobs: int, logs: Path) -> None:
    """Bring every run to its end, `jobs` at a time; finished ones are left alone.

    A run that fails does not stop the others.

    Raises:
        UserError: at the end, naming each run that failed with the last lines of its log.
    """
    waiting = deque(run for run in runs if not status(run).finished)
    done = len(runs) - len(waiting)
    console.print(overview(runs))
    log(f"{len(runs)} runs, {done} of them finished")
    problems: list[Problem] = []
    active: list[Job] = []
    with _stopping(active):
        while waiting or active:
            for slot in set(range(jobs)) - {job.slot for job in active}:
                while waiting and status(waiting[0]).finished:  # by another process meanwhile
                    waiting.popleft()
                if waiting:
                    active.append(Job(waiting.popleft(), slot, jobs, logs))
            time.sleep(POLL_SECONDS)
            for job in [job for job in active if job.ended()]:
                active.remove(job)
                done += job.problem is None
                log(f"[{done}/{len(runs)}] {job.run.name}: {job.outcome()}")
                problems += [job.problem] if job.problem else []
    if problems:
        raise UserError.listing("these runs failed; run the same command to try again:", problems)


@contextlib.contextmanager
def _stopping(active: list[Job]) -> Iterator[None]:
    """Let runs save and end when this program is interrupted, asked to end, or fails."""

    def leave(number: int, frame: Any) -> None:
        raise SystemExit(0)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        if active:
            log(f"{len(active)} runs save and end; the same command resumes them ...")
        for end in (Job.ask_to_end, Job.stop):  # all save at the same time
            for job in active:
                end(job)
