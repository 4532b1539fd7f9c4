"""Vectors of unit length, which every embedding is."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def unit_length(vectors: Float[Array, "n d"]) -> Float[Array, "n d"]:
    """Divide each row by its Euclidean length; a row of zeros stays zero."""
    squared = jnp.sum(vectors**2, axis=1, keepdims=True)
    return vectors * jax.lax.rsqrt(jnp.maximum(squared, 1e-24))
