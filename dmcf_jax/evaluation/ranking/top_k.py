"""The k best columns of each query, from tiles of scores that come one after the other.

A tile of the score matrix is looked at and dropped. Of a tile only the maxima of short chunks are
looked at; chunks that exceed a query's lowest kept score are few after the first tiles, and only
those are sorted. Equal scores rank in order of column, as in a stable sort of all of them.
"""

from collections.abc import Iterable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int32

CHUNK = 64
# Chunks that are sorted in a usual tile; where a query has more candidates, all are.
FEW = 8

# Scores [q k], descending, and their columns; -infinity and -1 where fewer than k are known.
Best = tuple[Float[Array, "q k"], Int32[Array, "q k"]]


def top_k_of_tiles(
    tiles: Iterable[tuple[int, int, Float[Array, "q _"]]], k: int
) -> tuple[Float[np.ndarray, "q k"], Int32[np.ndarray, "q k"]]:
    """Return the `k` highest scores of each row and their columns, highest first.

    Args:
        tiles: (column number of the tile's first column, its columns that are not padding, its
            scores), in order of column; -infinity is never chosen. There is at least one tile.

    Returns:
        Scores and columns; where there are fewer than k, -infinity and -1.
    """
    best = None
    for start, real, tile in tiles:
        best = best or nothing_found(len(tile), k)
        best = absorb_tile(*best, tile, np.int32(start), np.int32(real), real < tile.shape[1])
    assert best is not None  # there is at least one tile
    scores, columns = best
    return np.asarray(scores), np.asarray(columns)


def nothing_found(queries: int, k: int, device: jax.Device | None = None) -> Best:
    """Return the state before the first tile."""
    scores = np.full((queries, k), -np.inf, np.float32)
    return jax.device_put((scores, np.full(scores.shape, -1, np.int32)), device)


@partial(jax.jit, static_argnames="partial_block", donate_argnums=(0, 1))
def absorb_tile(
    scores: Float[Array, "q k"],
    columns: Int32[Array, "q k"],
    tile: Float[Array, "q b"],
    start: Int32[Array, ""],
    real: Int32[Array, ""],
    partial_block: bool,
) -> Best:
    """Return the best `k` of what was found (`scores` descending, `columns`) and of one tile.

    Args:
        start: column number of the tile's first column; tiles come in this order.
        real: columns of a `partial_block` that are not padding.
    """
    if partial_block:
        tile = jnp.where(jnp.arange(tile.shape[1]) < real, tile, -jnp.inf)
    missing = -tile.shape[1] % CHUNK
    tile = jnp.pad(tile, ((0, 0), (0, missing)), constant_values=-jnp.inf) if missing else tile
    chunks = tile.reshape(len(tile), -1, CHUNK)  # [q chunk CHUNK]
    peaks = chunks.max(axis=-1)
    candidates = jnp.max(jnp.sum(peaks > scores[:, -1:], axis=1))
    most = min(scores.shape[1], chunks.shape[1])

    def merge(count):
        return lambda: _merge_chunks(scores, columns, chunks, peaks, start, count)

    ways = [lambda: (scores, columns), merge(min(FEW, most)), merge(most)]
    return lax.switch(jnp.int32(candidates > 0) + jnp.int32(candidates > FEW), ways)


def _merge_chunks(
    scores: Float[Array, "q k"],
    columns: Int32[Array, "q k"],
    chunks: Float[Array, "q c _"],
    peaks: Float[Array, "q c"],
    start: Int32[Array, ""],
    count: int,
) -> Best:
    """Return the best of `scores` and of the `count` chunks with the highest peaks.

    The k best columns of a tile are in the k chunks with the highest peaks; of equal peaks the
    earlier chunk is taken, as of equal scores the earlier column. `lax.top_k` keeps the order of
    equal values, so the chunks are put back in order first.
    """
    places = jnp.sort(lax.top_k(peaks, count)[1], axis=1)[:, :, None]
    values = jnp.take_along_axis(chunks, places, axis=1).reshape(len(scores), -1)
    numbers = (places * CHUNK + jnp.arange(CHUNK, dtype=jnp.int32)).reshape(values.shape)
    found = jnp.where(jnp.isfinite(values), start + numbers, -1)
    best, order = lax.top_k(jnp.concatenate([scores, values], axis=1), scores.shape[1])
    return best, jnp.take_along_axis(jnp.concatenate([columns, found], axis=1), order, axis=1)
