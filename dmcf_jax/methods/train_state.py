"""What a run is between two steps."""

from typing import Any

import jax.numpy as jnp
import optax
from flax import struct


@struct.dataclass
class TrainState:
    """All that a run is between two steps; no key and nothing callable.

    Leaves are arrays, or shapes and shardings where a state is only described; an empty tree may
    then be one leaf, hence the open types.

    Attributes:
        step: int32 scalar, steps taken.
        params: what is learned.
        batch_stats: running means and variances of batch norm.
        opt_state: moments and counts of the optimiser.
    """

    step: Any
    params: dict
    batch_stats: Any
    opt_state: Any

    @property
    def variables(self) -> dict:
        """What the network is applied with: {'params': ..., 'batch_stats': ...}."""
        return {"params": self.params, "batch_stats": self.batch_stats}


def make_state(variables: dict, optimizer: optax.GradientTransformation) -> TrainState:
    """Return the state before step 0."""
    params = variables["params"]
    step = jnp.zeros((), jnp.int32)
    return TrainState(step, params, variables.get("batch_stats", {}), optimizer.init(params))
