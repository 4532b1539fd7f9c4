"""Distances between visible and infrared rows, and the hardest row of the other modality."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


def cross_distances(
    visible: Float[Array, "n d"], infrared: Float[Array, "m d"]
) -> Float[Array, "n m"]:
    """Return Euclidean distances, with a zero gradient at distance zero."""
    products = jnp.matmul(visible, infrared.T, precision=jax.lax.Precision.HIGHEST)
    squares = jnp.sum(visible**2, axis=1)[:, None] + jnp.sum(infrared**2, axis=1)
    return safe_root(squares - 2.0 * products)


def row_distances(rows: Float[Array, "n d"], others: Float[Array, "n d"]) -> Float[Array, " n"]:
    """Return the Euclidean distance of each row to its partner, safe at zero as above."""
    return safe_root(jnp.sum((rows - others) ** 2, axis=1))


def safe_root(squared: Float[Array, "..."]) -> Float[Array, "..."]:
    """Return the square root, with value and gradient 0 at and below 0, where its slope is none."""
    apart = squared > 0.0
    return jnp.where(apart, jnp.sqrt(jnp.where(apart, squared, 1.0)), 0.0)


def hardest_across(
    distances: Float[Array, "n m"], same: Bool[Array, "n m"]
) -> tuple[Int[Array, " n"], Int[Array, " n"], Bool[Array, " n"]]:
    """Return the columns of each row's farthest own and nearest other, and whether it has both.

    Args:
        distances: between the rows of two modalities.
        same: whether a row and a column show the same person.
    """
    farthest = jnp.argmax(jnp.where(same, distances, -jnp.inf), axis=1)
    nearest = jnp.argmin(jnp.where(same, jnp.inf, distances), axis=1)
    return farthest, nearest, same.any(axis=1) & ~same.all(axis=1)


def mean_of(values: Float[Array, " n"], counted: Bool[Array, " n"]) -> Float[Array, ""]:
    """Return the mean of the counted values; of none, 0."""
    count = jnp.maximum(jnp.sum(counted), 1).astype(values.dtype)
    return jnp.sum(jnp.where(counted, values, 0.0)) / count
