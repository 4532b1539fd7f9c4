"""Rows of both modalities in one batch, each pair side by side."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def interleave(visible: Float[Array, "b ..."], infrared: Float[Array, "b ..."]) -> Array:
    """Fuse the modalities along the batch (eq. 1-3): rows visible 0, infrared 0, visible 1, ...

    Deviation: the paper concatenates. Row order changes no result, and interleaved rows stay on
    their device when the batch is sharded.
    """
    return jnp.stack([visible, infrared], axis=1).reshape(-1, *visible.shape[1:])
