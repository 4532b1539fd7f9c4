"""A run while it is trained: its folder, lock, checkpoints and signals in one place."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from dmcf_jax.config.validate import flatten
from dmcf_jax.errors import UserError
from dmcf_jax.runs.checkpoint import Checkpoints
from dmcf_jax.runs.folder import lock_run
from dmcf_jax.runs.metrics_log import MetricWriter, NoWriter, TensorBoardFile, open_metrics
from dmcf_jax.runs.trackers import Tracker, check_tracker, open_tracker
from dmcf_jax.runtime import hosts
from dmcf_jax.runtime.console import log
from dmcf_jax.runtime.signals import Interruption


class Run:
    """The folder of a run that this process trains in.

    As a context manager it locks the folder, opens its checkpoints and reports a failing disk in
    a sentence.

    Attributes:
        config: of the run.
        workdir: the folder.
        checkpoints: what is saved, and where to save.
        interruption: whether a signal asked to stop.
    """

    def __init__(self, workdir: Path, config: ConfigDict, interruption: Interruption):
        """Touch nothing yet.

        Raises:
            UserError: the package of the tracker is missing.
        """
        check_tracker(config.train.tracker)
        self.config, self.workdir, self.interruption = config, workdir, interruption
        self._tracker: Tracker | None = None
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self._lock = stack.enter_context(lock_run(self.workdir))
            stack.enter_context(_disk_errors(self.workdir))
            checkpoints = Checkpoints(self.workdir, self.config.train.keep_best)
            self.checkpoints = stack.enter_context(checkpoints)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error):
        return self._stack.__exit__(*error)

    @property
    def start(self) -> int:
        """The step of the latest checkpoint, 0 for a new run."""
        return (self.checkpoints.steps() or [0])[-1]

    @property
    def is_finished(self) -> bool:
        """Whether the latest checkpoint is that of the last step."""
        return self.start >= self.config.train.steps

    def agree(self, inputs: Mapping[str, Any]) -> None:
        """Refuse to train when the processes of this run differ in config, folder or `inputs`.

        Args:
            inputs: what else must be equal, by name, as JSON can write it.
        """
        hosts.agree(
            {
                "the config": flatten(self.config),
                **inputs,
                "the workdir": self._lock.owner(),
                "its checkpoints": self.checkpoints.steps(),
            }
        )

    def go_back_to(self, step: int) -> None:
        """Move all checkpoints after `step` to `<workdir>/set_aside`."""
        for path in self.checkpoints.set_aside_after(step):
            log(f"going back to step {step}: moved a later checkpoint to {path}")

    def check_folder(self) -> None:
        """Raise `UserError` if the folder is no longer the one that was locked."""
        self._lock.check()

    def open_log(self, name: str) -> MetricWriter | NoWriter:
        """Return the writer of `<name>.jsonl`, without what a resume will write again."""
        tracker = self._track() if hosts.is_first() else Tracker()
        return open_metrics(self.workdir, self.start, name, tracker)

    def show(self, pictures: Mapping[str, Path], step: int) -> None:
        """Show PNG files, by name, in TensorBoard and the tracker; call it in one process only."""
        board, tracker = TensorBoardFile(self.workdir / "tensorboard/pictures", step), self._track()
        with contextlib.closing(board):
            for name, file in pictures.items():
                board.picture(name, step, file)
                tracker.picture(name, step, file)

    def _track(self) -> Tracker:
        """Return the tracker, which is opened where it is first used and closed with the run."""
        if self._tracker is None:
            self._tracker = open_tracker(
                self.config.train.tracker, self.workdir, flatten(self.config)
            )
            self._stack.callback(self._tracker.close)
        return self._tracker


@contextlib.contextmanager
def _disk_errors(workdir: Path) -> Iterator[None]:
    """Report a disk that is full, read-only or gone as a `UserError`."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{error.filename or workdir} cannot be written ({error.strerror or error}). The "
            f"checkpoints in {workdir} are unchanged: free space or repair the disk, then run the "
            "same command to resume from the latest one.",
            about=str(workdir),
        ) from error
