"""The nearest gallery pictures of each query: exact, blocked, in constant memory.

    scores, rows = rank(queries, gallery, top=20)

The gallery comes in blocks, which the devices take in turn; `evaluation/ranking/top_k.py` merges
the scores of a block into the best so far.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Float, Int

from dmcf_jax.errors import UserError
from dmcf_jax.evaluation.ranking.tile_kernels import distance_tile
from dmcf_jax.evaluation.ranking.top_k import absorb_tile, nothing_found
from dmcf_jax.runtime.devices import ranking_mesh

BLOCK = 8192
QUERIES_AT_ONCE = 2048
IN_FLIGHT = 4
# How far the square of a unit embedding's length may be from 1: float16 has three digits.
TOLERANCE = 2e-3


def rank(
    queries: Float[np.ndarray, "q d"] | Float[np.ndarray, " d"],
    gallery: Float[np.ndarray, "g _"],
    top: int = 20,
    *,
    devices: Sequence[jax.Device] | None = None,
) -> tuple[Float[np.ndarray, "q k"], Int[np.ndarray, "q k"]]:
    """Return scores and gallery rows of the `top` most similar, best first, for each query.

    A score is the cosine, -1 to 1. k is `top`, or g where that is smaller.

    Args:
        queries, gallery: embeddings of unit length, of one model; a gallery may be memory-mapped,
            one query may be a vector. No queries or no gallery give no rows or no columns.
        devices: to share the gallery between; by default all of this process.

    Raises:
        UserError: `top` below 1, other sizes of query and gallery, or embeddings that are not of
            unit length.
    """
    return top_k(np.atleast_2d(queries), [gallery], top, devices=devices)


def top_k(
    queries: Float[np.ndarray, "q d"],
    blocks: Iterable[Float[np.ndarray, "_ _"]],
    k: int,
    *,
    devices: Sequence[jax.Device] | None = None,
    block: int = BLOCK,
) -> tuple[Float[np.ndarray, "q k"], Int[np.ndarray, "q k"]]:
    """Return what `rank` returns, of a gallery that comes in `blocks`, one after the other.

    Only a few blocks are in memory at a time. The devices take them in turn.

    Args:
        block: gallery rows of a tile.

    Raises:
        UserError: see `rank`.
    """
    if k < 1:
        raise UserError(f"top={k}: ask for at least one match", about="top")
    _check(queries, "query", 0)
    if not len(queries):
        width = min(k, sum(map(len, blocks)))
        return np.empty((0, width), np.float32), np.empty((0, width), np.int64)
    devices = devices or list(ranking_mesh(of_this_process=True).devices.flat)
    searchers = [_Searcher(queries, k, device, block) for device in devices]
    total = 0
    for number, rows in enumerate(_rechunk(blocks, block)):
        if rows.shape[1] != queries.shape[1]:
            raise UserError(
                f"queries have {queries.shape[1]} numbers, the gallery {rows.shape[1]}: embed "
                "both with one model",
                about="gallery",
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
            "as the model returns them, or divide each by its length",
            about=name,
        )


def _rechunk(blocks: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """Yield the same rows in blocks of `size`, the last one shorter."""
    rest = None
    for rows in blocks:
        rest = rows if rest is None or not len(rest) else np.concatenate([rest, rows])
        complete = len(rest) // size * size
        for start in range(0, complete, size):
            yield rest[start : start + size]
        rest = rest[complete:]
    if rest is not None and len(rest):
        yield rest


class _Searcher:
    """What one device has found so far."""

    def __init__(self, queries: np.ndarray, k: int, device: jax.Device, block: int):
        self._device, self._block, self._queries = device, block, len(queries)
        self._on_cpu = by_numpy(device)
        self._product = _NumpyProduct(block) if self._on_cpu else distance_tile
        parts = (queries[i : i + QUERIES_AT_ONCE] for i in range(0, len(queries), QUERIES_AT_ONCE))
        self._parts = [self._to_device(_filled(part, 16)) for part in parts]
        self._best = [nothing_found(len(part), k, device) for part in self._parts]
        self._tiles = 0

    def _to_device(self, rows: np.ndarray) -> Any:
        return rows if self._on_cpu else jax.device_put(rows, self._device)

    def absorb(self, rows: np.ndarray, start: int) -> None:
        """Search gallery `rows`, the first of which has number `start`."""
        position = np.int32(start), np.int32(len(rows)), len(rows) < self._block
        rows = self._to_device(_filled(rows, self._block))
        for number, part in enumerate(self._parts):
            tile = jax.device_put(self._product(part, rows), self._device)
            self._best[number] = absorb_tile(*self._best[number], tile, *position)
            self._tiles += 1
            # NumPy writes the next tile over this one; elsewhere tiles must not pile up.
            if self._on_cpu or self._tiles % IN_FLIGHT == 0:
                self._best[number][0].block_until_ready()

    def found(self) -> tuple[np.ndarray, np.ndarray]:
        """Return scores and rows [q k]; where there were fewer than k, -infinity and -1."""
        scores, rows = (
            np.concatenate([np.asarray(values) for values in part])
            for part in zip(*self._best, strict=True)
        )
        return scores[: self._queries], rows[: self._queries]


def by_numpy(device: jax.Device) -> bool:
    """Return whether NumPy computes a device's matrix products: on a CPU it is faster."""
    return device.platform == "cpu"


def _filled(rows: np.ndarray, size: int) -> np.ndarray:
    """Return float32 `rows` with zeros up to a multiple of `size`."""
    missing = -len(rows) % size
    rows = np.ascontiguousarray(rows, np.float32)
    return np.pad(rows, ((0, missing), (0, 0))) if missing else rows


class _NumpyProduct:
    """Queries times gallery by NumPy, into one tile that the next call overwrites."""

    def __init__(self, block: int):
        self._block, self._tile = block, np.empty(0, np.float32)

    def __call__(self, queries: np.ndarray, rows: np.ndarray) -> np.ndarray:
        size = len(queries) * self._block
        if len(self._tile) < size:
            # JAX uses memory in place, without a copy, if it begins at a multiple of 64 bytes.
            memory = np.empty(size + 16, np.float32)
            self._tile = memory[-memory.ctypes.data // 4 % 16 :][:size]
        tile = self._tile[:size].reshape(len(queries), self._block)
        return np.matmul(queries, rows.T, out=tile)


def _merged(
    found: list[tuple[np.ndarray, np.ndarray]], k: int
) -> tuple[Float[np.ndarray, "q k"], Int[np.ndarray, "q k"]]:
    """Return the best `k` of what the devices found, equal scores in order of row."""
    scores, rows = (np.concatenate(part, axis=1) for part in zip(*found, strict=True))
    order = np.lexsort((rows, -scores), axis=1)[:, :k]
    return np.take_along_axis(scores, order, 1), np.take_along_axis(rows, order, 1).astype(np.int64)
