"""States that are quick to save, and what to ask of a folder that holds them."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from dmcf_jax.methods.train_state import TrainState
from dmcf_jax.runs.checkpoint import Checkpoints


def state_of(step: int) -> TrainState:
    """Return a state of `step` whose weights are drawn by it."""
    weights = np.random.default_rng(step).standard_normal((64, 8)).astype(np.float32)
    return TrainState(jnp.int32(step), {"kernel": jnp.asarray(weights)}, {"mean": jnp.ones(3)}, ())


def load(workdir: Path, step: int | None = None) -> TrainState:
    """Return the newest state in a folder, or that of `step`."""
    with Checkpoints(workdir) as checkpoints:
        return checkpoints.load(state_of(0), step)


def same(a: TrainState, b: TrainState) -> bool:
    """Whether two states are equal number for number."""
    return all(jax.tree.leaves(jax.tree.map(np.array_equal, a, b)))
