"""The training step as one program: bound to its feed, lowered once."""

from collections.abc import Callable

import jax
from jax.sharding import Mesh

from dmcf_jax.data.feed import DeviceLoader, HostLoader
from dmcf_jax.runtime.devices import replicated


def lower_step(
    feed: DeviceLoader | HostLoader, train_step: Callable, inputs: tuple, mesh: Mesh
) -> jax.stages.Lowered:
    """Return the step for batches of `feed`, traced and lowered, to be compiled by the caller.

    The state is donated: the new weights are written over the old ones.

    Args:
        train_step: (state, batch, key) -> (state, metrics).
        inputs: (state, batch of the feed, keys), arrays or shapes with shardings.
    """
    step = feed.wrap_step(train_step)
    jitted = jax.jit(step, donate_argnums=0, out_shardings=replicated(mesh))
    return jitted.lower(*inputs)
