"""The training step as one program: bound to its feed, lowered once."""

from collections.abc import Callable

import jax
from jax.sharding import Mesh

from dmcf_jax.data.feed import DeviceLoader, HostLoader
from dmcf_jax.runtime.devices import replicated


def trace_step(
    feed: DeviceLoader | HostLoader, train_step: Callable, inputs: tuple, mesh: Mesh
) -> jax.stages.Traced:
    """Return the step for batches of `feed`, traced, to be lowered for a platform by the caller.

    The state is donated: the new weights are written over the old ones.

    Args:
        train_step: (state, batch, key) -> (state, metrics).
        inputs: (state, batch of the feed, keys), arrays or shapes with shardings.
    """
    step = feed.wrap_step(train_step)
    return jax.jit(step, donate_argnums=0, out_shardings=replicated(mesh)).trace(*inputs)


def lower_step(
    feed: DeviceLoader | HostLoader, train_step: Callable, inputs: tuple, mesh: Mesh
) -> jax.stages.Lowered:
    """Return the step lowered for the devices of `mesh`, to be compiled by the caller.

    Args:
        feed, train_step, inputs: see `trace_step`.
    """
    return trace_step(feed, train_step, inputs, mesh).lower()
