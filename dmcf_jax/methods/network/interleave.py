"""Rows of both modalities in one batch, each pair side by side."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def interleave(visible: Float[Array, "v ..."], infrared: Float[Array, "b ..."]) -> Array:
    """Fuse the modalities along the batch (eq. 1-3): rows visible 0, infrared 0, visible 1, ...

    Where each visible image has several views, v is a multiple of b, and they all come before
    the infrared image of their pair.

    Deviation: the paper concatenates. Row order changes no result, and interleaved rows stay on
    their device when the batch is sharded.
    """
    if len(visible) == len(infrared):
        return jnp.stack([visible, infrared], axis=1).reshape(-1, *visible.shape[1:])
    inner = infrared.shape[1:]
    views = visible.reshape(len(infrared), -1, *inner)
    return jnp.concatenate([views, infrared[:, None]], axis=1).reshape(-1, *inner)
