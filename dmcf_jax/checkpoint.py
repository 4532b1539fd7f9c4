"""Checkpoints of a run: orbax, and only here.

A checkpoint is written beside its final name and renamed when it is whole, so a killed process
leaves the ones before it intact.
"""

from pathlib import Path
from typing import Any

import jax
from orbax.checkpoint import v1 as ocp

from dmcf_jax.errors import UserError
from dmcf_jax.train_step import TrainState

KEPT = 2  # latest checkpoints kept: one to fall back on if the newest is damaged


class Checkpoints:
    """The checkpoints under `<workdir>/checkpoints`; a context manager that waits for writes."""

    def __init__(self, workdir: str | Path, keep_best: str = "", read_only: bool = False):
        """Open or create the folder.

        Args:
            keep_best: metric whose best checkpoint is kept too, '' for the latest only. The
                latest are always kept: a best-only policy would throw away what a resume needs.
            read_only: leave unfinished writes alone, which may be another process's.
        """
        self._keep_best, self._begun = keep_best, -1
        policies = ocp.training.preservation_policies
        kept: list[Any] = [policies.LatestN(KEPT)]
        if keep_best:
            kept.append(policies.BestN(get_metric_fn=self._value, n=1))
        self._orbax = ocp.training.Checkpointer(
            Path(workdir).absolute() / "checkpoints",
            preservation_policy=policies.AnyPreservationPolicy(kept),
            cleanup_tmp_directories=not read_only,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._orbax.close()

    def steps(self) -> list[int]:
        """Return the steps of all whole checkpoints, ascending."""
        return sorted(checkpoint.step for checkpoint in self._orbax.checkpoints)

    def _value(self, metrics):
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
        return max(self._orbax.checkpoints, key=lambda found: self._value(found.metrics)).step

    def save(self, state: TrainState, metrics: dict[str, float] | None = None) -> None:
        """Start writing `state` in the background, named by its step."""
        step = int(state.step)
        if step == self._begun or step in self.steps():
            return
        self._begun = step
        self._orbax.save_checkpointables_async(step, {"state": state}, force=True, metrics=metrics)

    def wait(self) -> None:
        """Return when what `save` began is on disk."""
        self._orbax.wait()

    def load(self, like: TrainState, step: int | None = None) -> TrainState:
        """Return the state of `step`, by default the latest, placed like the arrays of `like`.

        Args:
            like: arrays or `jax.ShapeDtypeStruct`s with shardings.

        Raises:
            UserError: if there is no such checkpoint.
        """
        steps = self.steps()
        if not steps or (step is not None and step not in steps):
            wanted = "any step" if step is None else f"step {step}"
            raise UserError(
                f"no checkpoint of {wanted} in {self._orbax.directory}; there are {steps}. "
                "Train first (scripts/train.py), or name another --workdir or --step."
            )
        shape = jax.tree.map(_abstract, like)
        loaded = self._orbax.load_checkpointables(
            steps[-1] if step is None else step, {"state": shape}
        )
        return loaded["state"]


def _abstract(leaf):
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding)
