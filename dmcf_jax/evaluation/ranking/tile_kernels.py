"""The compiled parts of the ranking: what is done with one tile of the distance matrix.

A tile is a block of queries against a block of gallery images. Nothing here sorts: the place of
a relevant image in the ranked list is one more than the number of images nearer than it, and
that is a count. Counts are integers, so neither the order nor the size of tiles can change them.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int, Int32

IGNORE_RULES = ("none", "cam3-cam2", "same-identity-same-camera")
POSITIVES_AT_ONCE = 64


@jax.jit
def distance_tile(
    queries: Float[Array, "q d"], gallery: Float[Array, "g d"]
) -> Float[Array, "q g"]:
    """Return `queries @ gallery.T` in float32 at the highest precision, `d` summed at once.

    `distances.py` writes both metrics as such a product. XLA's product on the CPU gives an element
    the same bits at any place of a tile of at least 8 x 8 (tested), so equal images have equal
    distances and the tile's shape does not matter.
    """
    return lax.dot_general(
        queries,
        gallery,
        (((1,), (1,)), ((), ())),
        precision=lax.Precision.HIGHEST,
        preferred_element_type=jnp.float32,
    )


@partial(jax.jit, static_argnames="rule")
def hide_ignored(
    distances: Float[Array, "q g"],
    query_identity: Int[Array, " q"],
    query_camera: Int[Array, " q"],
    gallery_identity: Int[Array, " g"],
    gallery_camera: Int[Array, " g"],
    padding_identity: Int[Array, ""],
    rule: str,
) -> Float[Array, "q g"]:
    """Set to infinity what a query ignores by `rule` (see `IGNORE_RULES`), and the padding."""
    hidden = jnp.broadcast_to((gallery_identity == padding_identity)[None, :], distances.shape)
    if rule == "cam3-cam2":
        hidden |= (query_camera == 3)[:, None] & (gallery_camera == 2)[None, :]
    if rule == "same-identity-same-camera":
        same = query_identity[:, None] == gallery_identity[None, :]
        hidden |= same & (query_camera[:, None] == gallery_camera[None, :])
    return jnp.where(hidden, jnp.inf, distances)


@jax.jit
def hide_own(
    distances: Float[Array, "q g"],
    query_identity: Int[Array, " q"],
    gallery_identity: Int[Array, " g"],
) -> Float[Array, "q g"]:
    """Set to infinity each query's own identity, which leaves the negatives."""
    own = query_identity[:, None] == gallery_identity[None, :]
    return jnp.where(own, jnp.inf, distances)


@jax.jit
def gather_positives(
    positives: Float[Array, "q p"],
    distances: Float[Array, "q g"],
    first: Int[Array, " q"],
    count: Int[Array, " q"],
) -> Float[Array, "q p"]:
    """Fill in the distances of the relevant images that are in this tile.

    The gallery is in order of identity, so a query's relevant images are the `count` columns from
    `first` on, counted from this tile's first column (`first` may be negative).
    """
    place = jnp.arange(positives.shape[1])[None, :]
    column = first[:, None] + place
    width = distances.shape[1]
    here = (column >= 0) & (column < width) & (place < count[:, None])
    found = jnp.take_along_axis(distances, jnp.clip(column, 0, width - 1), axis=1)
    return jnp.where(here, found, positives)


@jax.jit
def thresholds(positives: Float[Array, "q p"]) -> Float[Array, "q p"]:
    """Return `positives` with -infinity, which counts nothing, for missing or ignored ones."""
    return jnp.where(jnp.isfinite(positives), positives, -jnp.inf)


@partial(jax.jit, donate_argnums=0)
def count_negatives(
    counts: Int32[Array, "q p"], negatives: Float[Array, "q g"], limits: Float[Array, "q p"]
) -> Int32[Array, "q p"]:
    """Add, for each of a query's `limits`, how many `negatives` have a distance <= the limit."""
    chunk = min(limits.shape[1], POSITIVES_AT_ONCE)
    chunks = limits.reshape(limits.shape[0], -1, chunk).swapaxes(0, 1)
    if len(chunks) == 1:
        return counts + _count_at_most(negatives, limits)
    found = lax.map(partial(_count_at_most, negatives), chunks)
    return counts + found.swapaxes(0, 1).reshape(counts.shape)


def _count_at_most(
    distances: Float[Array, "q g"], limits: Float[Array, "q p"]
) -> Int32[Array, "q p"]:
    # Summing at most 32 ones into each int8 lane before widening lets LLVM keep the loop in vector
    # registers, which is many times faster than the plain sum.
    lanes = distances.reshape(distances.shape[0], 1, -1, lanes_of(distances.shape[1]))
    hits = (lanes <= limits[:, :, None, None]).astype(jnp.int8)
    return hits.sum(2, dtype=jnp.int8).astype(jnp.int32).sum(-1)


def lanes_of(width: int) -> int:
    """Return into how many int8 lanes a row of `width` distances is folded: 32, 64, 128, ..."""
    lanes = 32
    while width > 32 * lanes:
        lanes *= 2
    return lanes


@partial(jax.jit, donate_argnums=0)
def update_nearest(
    nearest: Float[Array, "k q"],
    negatives: Float[Array, "q g"],
    gallery_identity: Int[Array, " g"],
) -> Float[Array, "k q"]:
    """Lower `nearest`, each query's distance to each identity, by the `negatives` of this tile.

    `gallery_identity` counts the gallery's identities from 0 and ascends; the last of the `k`
    rows is the padding's.
    """
    # Complete rows of the transposed tile are scattered: faster than single elements along columns.
    rows = lax.optimization_barrier(negatives.T)
    return nearest.at[gallery_identity].min(rows, indices_are_sorted=True)


@jax.jit
def rank_identities(
    nearest: Float[Array, "k q"], positives: Float[Array, "q p"]
) -> Int32[Array, " q"]:
    """Return the rank of the right identity: one more than the identities at most as far."""
    own = jnp.min(positives, axis=1)
    return 1 + jnp.sum(nearest <= own[None, :], axis=0, dtype=jnp.int32)
