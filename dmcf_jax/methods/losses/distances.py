"""Distances between the rows of a batch, and which rows show the same person."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


def pairwise_distances(embeddings: Float[Array, "n d"]) -> Float[Array, "n n"]:
    """Return Euclidean distances between all rows, with a zero gradient at distance zero.

    The square root has an infinite slope at zero, which duplicates and the diagonal reach; both
    `where`s are needed, since a gradient of infinity times zero is NaN.
    """
    products = jnp.matmul(embeddings, embeddings.T, precision=jax.lax.Precision.HIGHEST)
    # The diagonal as sums with one term that is not 0: rows stay on their device where taking it
    # by index would collect the matrix.
    own = jnp.where(jnp.eye(len(products), dtype=bool), products, 0.0)
    squares = own.sum(axis=1)[:, None] + own.sum(axis=0)[None, :]
    squared = jnp.maximum(squares - 2.0 * products, 0.0)
    apart = squared > 0.0
    return jnp.where(apart, jnp.sqrt(jnp.where(apart, squared, 1.0)), 0.0)


def same_label(labels: Int[Array, " n"]) -> Bool[Array, "n n"]:
    """Return whether two rows show the same person; a row and itself do."""
    return labels[:, None] == labels[None, :]


def unit_rows(vectors: Float[Array, "n d"]) -> Float[Array, "n d"]:
    """Divide each row by its length; a row of zeros stays zero and has a zero gradient."""
    squared = jnp.sum(vectors**2, axis=1, keepdims=True)
    apart = squared > 1e-24
    return vectors * jnp.where(apart, jax.lax.rsqrt(jnp.where(apart, squared, 1.0)), 0.0)
