"""What a run is between two steps."""

import dataclasses
from typing import Any

import jax
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
        average: exponential moving average of `variables` over the steps, which is what is
            evaluated and exported; () where the run keeps none.
    """

    step: Any
    params: dict
    batch_stats: Any
    opt_state: Any
    average: Any = ()

    @property
    def variables(self) -> dict:
        """What the network is trained with: {'params': ..., 'batch_stats': ...}."""
        return {"params": self.params, "batch_stats": self.batch_stats}

    @property
    def evaluated(self) -> dict:
        """What the network is evaluated with: the average where there is one, else `variables`."""
        return self.average or self.variables

    def with_evaluated(self, params: dict) -> "TrainState":
        """Return the state with other parameters to be evaluated."""
        if self.average:
            return dataclasses.replace(self, average=self.average | {"params": params})
        return dataclasses.replace(self, params=params)

    def with_average(self) -> "TrainState":
        """Return the state with an average that starts here: a copy of what is trained."""
        return dataclasses.replace(self, average=jax.tree.map(jnp.copy, self.variables))


def make_state(
    variables: dict, optimizer: optax.GradientTransformation, averaged: bool = False
) -> TrainState:
    """Return the state before step 0.

    Args:
        averaged: whether it keeps an average over the steps.
    """
    params = variables["params"]
    step = jnp.zeros((), jnp.int32)
    state = TrainState(step, params, variables.get("batch_stats", {}), optimizer.init(params))
    return state.with_average() if averaged else state
