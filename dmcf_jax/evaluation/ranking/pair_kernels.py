"""The compiled parts of counting pairs by score: what is done with one tile of distances.

A float32 is a 32-bit number whose order is that of its value once the sign is dealt with
(`order_keys`). Pairs are counted by the high 16 bits of that key, and, for a few values of these,
by the low 16 bits: together a count of every single score, without sorting and in fixed memory.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Bool, Float, Int, UInt32

from dmcf_jax.evaluation.ranking.tile_kernels import hide_ignored

HALF = 2**16  # values of the high, and of the low, 16 bits
SIGN = 2**31

_ROWS, _ALL = PartitionSpec("data"), PartitionSpec()
# Offsets, identities, cameras and reality of the queries; identities and cameras of the gallery,
# and the number of the padding's identity.
_LABELS = (_ROWS, _ROWS, _ROWS, _ROWS, _ALL, _ALL, _ALL)


def order_keys(scores: Float[Array, "*shape"]) -> UInt32[Array, "*shape"]:
    """Return numbers in the order of the scores, equal for equal ones: -0 has the key of 0."""
    bits = lax.bitcast_convert_type(jnp.where(scores == 0, 0.0, scores), jnp.uint32)
    sign = jnp.uint32(SIGN)
    return jnp.where(bits >= sign, ~bits, bits | sign)


def score_pairs(
    distances: Float[Array, "q g"],
    offset: Float[Array, " q"],
    query_identity: Int[Array, " q"],
    query_camera: Int[Array, " q"],
    real: Bool[Array, " q"],
    gallery_identity: Int[Array, " g"],
    gallery_camera: Int[Array, " g"],
    padding_identity: Int[Array, ""],
    rule: str,
) -> tuple[Float[Array, "q g"], Bool[Array, "q g"], Bool[Array, "q g"]]:
    """Return the scores of a tile's pairs, which are of one person, and which count.

    Args:
        distances: a tile, smaller is nearer.
        offset: added to a query's distances, so that those of different queries compare.
        real: rows that are not padding.
        padding_identity: of gallery rows that are padding.
        rule: one of `tile_kernels.IGNORE_RULES`: pairs that it ignores do not count.
    """
    labels = query_identity, query_camera, gallery_identity, gallery_camera, padding_identity
    counted = jnp.isfinite(hide_ignored(distances, *labels, rule)) & real[:, None]
    same = query_identity[:, None] == gallery_identity[None, :]
    return -(distances + offset[:, None]), same, counted


@functools.cache
def count_high(mesh: Mesh, rule: str) -> Callable:
    """Return the program (counts, best, distances, labels of `score_pairs`) -> (counts, best).

    counts: int32 [devices 2 65536]: pairs of different people and of the same, by high bits.
    best: float32 [q 2]: each query's highest score with another person and with its own.
    """

    def count(counts: Array, best: Array, distances: Array, *labels: Array) -> tuple[Array, Array]:
        scores, same, counted = score_pairs(distances, *labels, rule=rule)
        high = (order_keys(scores) >> 16).astype(jnp.int32)
        place = jnp.where(counted, high + HALF * same.astype(jnp.int32), 2 * HALF)
        found = [
            jnp.max(jnp.where(counted & chosen, scores, -jnp.inf), axis=1)
            for chosen in (~same, same)
        ]
        return _add(counts, place), jnp.maximum(best, jnp.stack(found, axis=1))

    specs = (_ROWS, _ROWS, _ROWS, *_LABELS)
    mapped = jax.shard_map(count, mesh=mesh, in_specs=specs, out_specs=(_ROWS, _ROWS))
    return jax.jit(mapped, donate_argnums=(0, 1))


@functools.cache
def count_low(mesh: Mesh, rule: str) -> Callable:
    """Return the program (counts, slots, distances, labels of `score_pairs`) -> counts.

    counts: int32 [devices s 2 65536]: pairs by low bits, for each of `s` values of the high bits.
    slots: int32 [65536]: which of these a value of the high bits is; `s` for none.
    """

    def count(counts: Array, slots: Array, distances: Array, *labels: Array) -> Array:
        scores, same, counted = score_pairs(distances, *labels, rule=rule)
        keys = order_keys(scores)
        slot = slots[(keys >> 16).astype(jnp.int32)]
        low = (keys & jnp.uint32(HALF - 1)).astype(jnp.int32)
        place = (2 * slot + same.astype(jnp.int32)) * HALF + low
        return _add(counts, jnp.where(counted, place, counts.size))

    specs = (_ROWS, _ALL, _ROWS, *_LABELS)
    mapped = jax.shard_map(count, mesh=mesh, in_specs=specs, out_specs=_ROWS)
    return jax.jit(mapped, donate_argnums=0)


def _add(counts: Array, place: Array) -> Array:
    """Count one more in each place; those beyond the end are dropped."""
    return counts.reshape(-1).at[place.reshape(-1)].add(1, mode="drop").reshape(counts.shape)
