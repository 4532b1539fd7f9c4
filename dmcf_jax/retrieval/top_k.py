"""The nearest gallery pictures of each query: exact, blocked, in constant memory.

    scores, rows = rank(queries, gallery, top=20)

A tile of the score matrix is computed, judged and dropped. Of a tile only the maxima of short
chunks are looked at; chunks that beat a query's worst kept score are few after the first tiles,
and only those are sorted. Equal scores rank in order of row, as in a stable sort of everything.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int, Int32

from dmcf_jax.errors import UserError
from dmcf_jax.evaluation.ranking.tile_kernels import distance_tile
from dmcf_jax.runtime.devices import ranking_mesh

CHUNK = 64
BLOCK = 8192
QUERIES_AT_ONCE = 2048
# Chunks that are sorted in a usual tile; where a query has more candidates, all are.
FEW = 8
IN_FLIGHT = 4
# How far the square of a unit embedding's length may be from 1: float16 has three digits.
TOLERANCE = 2e-3


def rank(
    queries: Float[np.ndarray, "q d"],
    gallery: Float[np.ndarray, "g _"],
    top: int = 20,
    *,
    devices: Sequence[jax.Device] | None = None,
) -> tuple[Float[np.ndarray, "q k"], Int[np.ndarray, "q k"]]:
    """Return scores and gallery rows of the `top` most similar, best first, for each query.

    A score is the cosine, -1 to 1. k is `top`, or g where that is smaller.

    Args:
        queries, gallery: embeddings of unit length, of one model; a gallery may be memory-mapped.
        devices: to share the gallery between; by default all of this process.

    Raises:
        UserError: `top` below 1, other sizes of query and gallery, or embeddings that are not of
            unit length.
    """
    return top_k(queries, [gallery], top, devices=devices)


def top_k(
    queries: Float[np.ndarray, "q d"],
    blocks: Iterable[Float[np.ndarray, "_ _"]],
    k: int,
    *,
    devices: Sequence[jax.Device] | None = None,
    block: int = BLOCK,
) -> tuple[Float[np.ndarray, "q k"], Int[np.ndarray, "q k"]]:
    """Return what `rank` returns, of a gallery that comes in `blocks`, one after the other.

    Only a few blocks are in memory at a time. They are dealt to the devices in turn.

    Args:
        block: gallery rows in a tile, a multiple of 64.
    """
    if k < 1:
        raise UserError(f"top={k}: ask for at least one match")
    _check(queries, "query", 0)
    devices = devices or list(ranking_mesh(of_this_process=True).devices.flat)
    searchers = [_Searcher(queries, k, device, block) for device in devices]
    total = 0
    for number, rows in enumerate(_cut(blocks, block)):
        if rows.shape[1] != queries.shape[1]:
            raise UserError(
                f"queries have {queries.shape[1]} numbers, the gallery {rows.shape[1]}: embed "
                "both with one model"
            )
        _check(rows, "gallery", total)
        searchers[number % len(devices)].absorb(rows, total)
        total += len(rows)
    return _merged([searcher.found() for searcher in searchers], min(k, total))


def _check(rows: np.ndarray, name: str, first: int) -> None:
    squares = np.einsum("nd,nd->n", rows, rows, dtype=np.float32)
    wrong = np.flatnonzero(~((np.abs(squares - 1) < TOLERANCE) | (squares == 0)))
    if len(wrong):
        length = float(np.sqrt(squares[wrong[0]]))
        raise UserError(
            f"{name} row {first + wrong[0]} has length {length:.4g}, expected 1: give embeddings "
            "as the model returns them, or divide each by its length"
        )


def _cut(blocks: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """Yield the same rows in blocks of `size`, the last one shorter."""
    rest = None
    for rows in blocks:
        rest = rows if rest is None or not len(rest) else np.concatenate([rest, rows])
        whole = len(rest) // size * size
        for start in range(0, whole, size):
            yield rest[start : start + size]
        rest = rest[whole:]
    if rest is not None and len(rest):
        yield rest


class _Searcher:
    """What one device has found so far."""

    def __init__(self, queries: np.ndarray, k: int, device: jax.Device, block: int):
        self._device, self._block, self._asked = device, block, len(queries)
        self._on_cpu = by_numpy(device)
        self._product = _NumpyProduct(block) if self._on_cpu else distance_tile
        parts = (queries[i : i + QUERIES_AT_ONCE] for i in range(0, len(queries), QUERIES_AT_ONCE))
        self._parts = [self._placed(_filled(part, 16)) for part in parts]
        self._best = [self._nothing(len(part), k) for part in self._parts]
        self._judged = 0

    def _placed(self, rows: np.ndarray) -> Any:
        return rows if self._on_cpu else jax.device_put(rows, self._device)

    def _nothing(self, count: int, k: int) -> tuple[Array, Array]:
        scores = np.full((count, k), -np.inf, np.float32)
        return jax.device_put((scores, np.full(scores.shape, -1, np.int32)), self._device)

    def absorb(self, rows: np.ndarray, start: int) -> None:
        """Judge gallery `rows`, the first of which has number `start`."""
        partial_block = len(rows) < self._block
        facts = np.int32(start), np.int32(len(rows)), partial_block
        rows = self._placed(_filled(rows, self._block))
        for number, part in enumerate(self._parts):
            tile = jax.device_put(self._product(part, rows), self._device)
            self._best[number] = absorb_tile(*self._best[number], tile, *facts)
            self._judged += 1
            # NumPy writes the next tile over this one; elsewhere tiles must not pile up.
            if self._on_cpu or self._judged % IN_FLIGHT == 0:
                self._best[number][0].block_until_ready()

    def found(self) -> tuple[np.ndarray, np.ndarray]:
        """Return scores and rows [q k]; where fewer than k were seen, -infinity and -1."""
        scores, rows = (
            np.concatenate([np.asarray(values) for values in part])
            for part in zip(*self._best, strict=True)
        )
        return scores[: self._asked], rows[: self._asked]


def by_numpy(device: jax.Device) -> bool:
    """Return whether a device's matrix products are left to NumPy: on a CPU it is faster."""
    return device.platform == "cpu"


def _filled(rows: np.ndarray, size: int) -> np.ndarray:
    """Return float32 `rows` with zeros up to a multiple of `size`."""
    missing = -len(rows) % size
    rows = np.ascontiguousarray(rows, np.float32)
    return np.pad(rows, ((0, missing), (0, 0))) if missing else rows


class _NumpyProduct:
    """Queries times gallery by NumPy, into one tile that is written over by the next call.

    Its library takes 118 ms for 2,000 x 8,192 x 512 where XLA takes 144 ms on the same two cores.
    """

    def __init__(self, block: int):
        self._block, self._tile = block, np.empty(0, np.float32)

    def __call__(self, queries: np.ndarray, rows: np.ndarray) -> np.ndarray:
        size = len(queries) * self._block
        if len(self._tile) < size:
            # JAX uses memory in place, without a copy, where it begins at a multiple of 64 bytes.
            whole = np.empty(size + 16, np.float32)
            self._tile = whole[-whole.ctypes.data // 4 % 16 :][:size]
        tile = self._tile[:size].reshape(len(queries), self._block)
        return np.matmul(queries, rows.T, out=tile)


@partial(jax.jit, static_argnames="partial_block", donate_argnums=(0, 1))
def absorb_tile(
    scores: Float[Array, "q k"],
    rows: Int32[Array, "q k"],
    tile: Float[Array, "q b"],
    start: Int32[Array, ""],
    real: Int32[Array, ""],
    partial_block: bool,
) -> tuple[Float[Array, "q k"], Int32[Array, "q k"]]:
    """Return the best `k` of what was found (`scores` descending, `rows`) and of one tile.

    Args:
        start: row of the tile's first column.
        real: columns of a `partial_block` that are rows of the gallery.
    """
    if partial_block:
        tile = jnp.where(jnp.arange(tile.shape[1]) < real, tile, -jnp.inf)
    chunks = tile.reshape(len(tile), -1, CHUNK)
    peaks = chunks.max(axis=-1)
    candidates = jnp.max(jnp.sum(peaks > scores[:, -1:], axis=1))
    most = min(scores.shape[1], chunks.shape[1])

    def merge(count):
        return lambda: _merge_chunks(scores, rows, chunks, peaks, start, count)

    ways = [lambda: (scores, rows), merge(min(FEW, most)), merge(most)]
    return lax.switch(jnp.int32(candidates > 0) + jnp.int32(candidates > FEW), ways)


def _merge_chunks(scores, rows, chunks, peaks, start, count):
    """Return the best of `scores` and of the `count` chunks with the highest peaks.

    The k best columns of a tile lie in the k chunks with the best peaks, ties going to the earlier
    chunk as they do to the earlier column. `top_k` keeps the order of equal values, so chunks are
    put in order again.
    """
    places = jnp.sort(lax.top_k(peaks, count)[1], axis=1)[:, :, None]
    values = jnp.take_along_axis(chunks, places, axis=1).reshape(len(scores), -1)
    columns = (places * CHUNK + jnp.arange(CHUNK, dtype=jnp.int32)).reshape(values.shape)
    found = jnp.where(jnp.isfinite(values), start + columns, -1)
    best, order = lax.top_k(jnp.concatenate([scores, values], axis=1), scores.shape[1])
    return best, jnp.take_along_axis(jnp.concatenate([rows, found], axis=1), order, axis=1)


def _merged(
    found: list[tuple[np.ndarray, np.ndarray]], k: int
) -> tuple[Float[np.ndarray, "q k"], Int[np.ndarray, "q k"]]:
    """Return the best `k` of what the devices found, equal scores in order of row."""
    scores, rows = (np.concatenate(part, axis=1) for part in zip(*found, strict=True))
    order = np.lexsort((rows, -scores), axis=1)[:, :k]
    return np.take_along_axis(scores, order, 1), np.take_along_axis(rows, order, 1).astype(np.int64)
