"""Checkpoints of a run: orbax, and only here.

A checkpoint is written beside its final name, hashed there (`SHA256SUMS`) and renamed when it is
complete, so a killed process leaves earlier ones intact. The hashes are checked before loading: of
a damaged checkpoint the error names the files and the newest intact checkpoint before it.
"""

import contextlib
import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
from orbax.checkpoint import v1 as ocp

from dmcf_jax.errors import Problem, UserError
from dmcf_jax.methods.train_state import TrainState
from dmcf_jax.runs import quiet_orbax
from dmcf_jax.runtime import hosts
from dmcf_jax.runtime.checksums import checksum_problems, write_checksums

KEPT = 2  # latest checkpoints kept: one to fall back on if the newest is damaged
# What orbax writes last, after the hashes: times and a marker. Nothing is loaded from them.
WRITTEN_LAST = ("_CHECKPOINT_METADATA", "commit_success.txt")


class Checkpoints:
    """The checkpoints under `<workdir>/checkpoints`; a context manager that waits for writes."""

    def __init__(self, workdir: str | Path, keep_best: str = "", read_only: bool = False):
        """Open or create the folder.

        Args:
            keep_best: metric whose best checkpoint is kept too, '' for the latest only. The
                latest are always kept: a best-only policy would throw away what a resume needs.
            read_only: leave unfinished writes alone, which may be another process's.
        """
        self._folder = Path(workdir).absolute() / "checkpoints"
        self._keep_best, self._begun, self._failed = keep_best, -1, False
        policies = ocp.training.preservation_policies
        kept: list[Any] = [policies.LatestN(KEPT)]
        if keep_best:
            kept.append(policies.BestN(get_metric_fn=self._value, n=1))
        context = ocp.Context()
        context.asynchronous.post_finalization_callback = self._hash_unfinished
        # Where a folder cannot be made, orbax would wait ten minutes for it in the background.
        context.asynchronous.create_directories_asynchronously = False
        self._orbax = ocp.training.Checkpointer(
            self._folder,  # pyright: ignore[reportArgumentType]
            context=context,
            preservation_policy=policies.AnyPreservationPolicy(kept),  # pyright: ignore
            cleanup_tmp_directories=not read_only,
        )

    def __enter__(self):
        quiet_orbax.hush()
        return self

    def __exit__(self, kind, *_):
        # `wait` has reported a failed write; a second report would hide the first message.
        try:
            with contextlib.suppress(Exception) if kind else contextlib.nullcontext():
                self._orbax.close()
        finally:
            if not self._failed:  # threads of a failed write complain later still
                quiet_orbax.restore()

    def steps(self) -> list[int]:
        """Return the steps of all finished checkpoints, ascending."""
        return sorted(checkpoint.step for checkpoint in self._orbax.checkpoints)

    def _value(self, metrics: Any) -> float:
        """Return the metric to choose by; a checkpoint that was not evaluated is never best."""
        return (metrics or {}).get(self._keep_best, -1.0)

    def best_step(self) -> int:
        """Return the step of the best evaluated checkpoint.

        Raises:
            UserError: if the run did not ask for one.
        """
        if not self._keep_best or not self._orbax.checkpoints:
            raise UserError(
                "this run kept no best checkpoint: train with --config.train.keep_best=mAP and "
                "--config.train.eval_every=N, or evaluate the last one"
            )
        checkpoints = {found.step: self._value(found.metrics) for found in self._orbax.checkpoints}
        return max(checkpoints, key=lambda step: checkpoints[step])

    def save(self, state: TrainState, metrics: dict[str, float] | None = None) -> None:
        """Start writing `state` in the background, named by its step.

        Raises:
            UserError: the write before this one failed, or this one cannot begin.
        """
        step = int(state.step)
        if step == self._begun or step in self.steps():
            return
        self.wait()
        with self._write_errors(step):
            self._begun = step
            self._orbax.save_checkpointables_async(
                step,
                {"state": _as_saved(state)},
                force=True,
                metrics=dict(metrics) if metrics else None,
            )

    def wait(self) -> None:
        """Return when what `save` began is on disk.

        Raises:
            UserError: it could not be written; the checkpoints before it are as they were.
        """
        with self._write_errors(self._begun):
            self._orbax.wait()

    @contextlib.contextmanager
    def _write_errors(self, step: int) -> Iterator[None]:
        """Report a failed write as a `UserError` and free its space."""
        try:
            yield
        except (OSError, ValueError, RuntimeError) as error:  # tensorstore's are ValueErrors
            self._begun, self._failed = -1, True
            for part in self._unfinished():
                shutil.rmtree(part, ignore_errors=True)
            saved = [int(p.name) for p in self._folder.glob("*") if p.name.isdecimal()]
            before = f"step {max(saved)} is safe" if saved else "there is none before it"
            raise UserError(
                f"the checkpoint of step {step} cannot be written to {self._folder} "
                f"({_reason(error)}); {before}. Free space or repair the disk, then run the same "
                "command to resume.",
                about=str(self._folder),
            ) from error

    def _unfinished(self) -> list[Path]:
        return [p for p in self._folder.glob("*.orbax-checkpoint-tmp*") if p.is_dir()]

    def _hash_unfinished(self) -> None:
        """Write the hashes of the checkpoint that is about to be renamed; in orbax's thread."""
        if jax.process_index() == 0:
            for folder in self._unfinished():
                write_checksums(folder, leave_out=WRITTEN_LAST)

    def load(self, like: TrainState, step: int | None = None) -> TrainState:
        """Return the state of `step`, by default the latest, placed like the arrays of `like`.

        Args:
            like: arrays or `jax.ShapeDtypeStruct`s with shardings.

        Raises:
            UserError: if there is no such checkpoint, or it is damaged: naming its files and the
                newest intact checkpoint before it.
        """
        step = self._existing(step)
        problems = checksum_problems(self._folder / str(step))
        if problems:
            raise self._damaged(step, problems)
        shape = jax.tree.map(_abstract, _as_saved(like))
        try:
            return TrainState(**self._orbax.load_checkpointables(step, {"state": shape})["state"])
        except Exception as error:  # orbax raises many kinds; the files are as they were written
            raise self._damaged(step, [f"cannot be read: {_reason(error)}"]) from error

    def _existing(self, step: int | None) -> int:
        steps = self.steps()
        if not steps or (step is not None and step not in steps):
            wanted = "any step" if step is None else f"step {step}"
            raise UserError(
                f"no checkpoint of {wanted} in {self._folder}; there are {steps}. "
                "Train first (dmcf train), or name another --workdir or --step.",
                about=str(self._folder),
            )
        return steps[-1] if step is None else step

    def _damaged(self, step: int, problems: list[str]) -> UserError:
        others = [s for s in self.steps() if s < step]
        intact = [s for s in reversed(others) if not checksum_problems(self._folder / str(s))]
        if intact:
            cure = f"An earlier one is intact: add --step={intact[0]} to the command."
        else:
            cure = (
                "No earlier one is intact: restore it from a copy, or train in another --workdir."
            )
        folder = self._folder / str(step)
        found = [Problem(str(folder), problem) for problem in problems]
        return UserError.listing(f"the checkpoint {folder} is damaged:", found, cure, at_most=7)

    def set_aside_after(self, step: int) -> list[Path]:
        """Move the checkpoints after `step` to `<workdir>/set_aside`, and return where they are.

        Raises:
            UserError: if there is no checkpoint of `step`.
        """
        self._existing(step)
        later, moved = [s for s in self.steps() if s > step], []
        for number in later:
            moved.append(_free_name(self._folder.with_name("set_aside") / str(number)))
            if hosts.is_first():
                moved[-1].parent.mkdir(exist_ok=True)
                (self._folder / str(number)).rename(moved[-1])
        hosts.wait_for_all()
        if later:
            self._orbax.reload()
        return moved


def _free_name(path: Path) -> Path:
    """Return `path`, or the first of `path`_2, `path`_3, ... that is free."""
    names = [path, *(path.with_name(f"{path.name}_{n}") for n in range(2, 1000))]
    return next(name for name in names if not name.exists())


def _reason(error: BaseException) -> str:
    """Return the operating system's own message where a library wrapped it in another."""
    text = str(error) or type(error).__name__
    for known in ("No space left on device", "Read-only file system", "Disk quota exceeded"):
        if known in text:
            return known
    return text.splitlines()[0][:300]


def _as_saved(state: TrainState) -> dict[str, Any]:
    """Return the parts of a state by name; the average only where there is one.

    So a checkpoint without an average is the same as before there were any.
    """
    parts = {field.name: getattr(state, field.name) for field in dataclasses.fields(state)}
    return parts if state.average else {k: v for k, v in parts.items() if k != "average"}


def _abstract(leaf):
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding)
