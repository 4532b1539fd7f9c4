"""Where the tiles of the distance matrix come from: embeddings, or a matrix that exists.

A source returns tile (i, j): block i of the queries against block j of the gallery, both in the
order that the ranking asked for and padded to complete blocks. Ranking embeddings never makes the
complete matrix.
"""

import dataclasses
from typing import Any, Protocol, runtime_checkable

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jaxtyping import Array, Float, Int

from dmcf_jax.evaluation.ranking.checks import squared_norms
from dmcf_jax.evaluation.ranking.tile_grid import RowBlocks, TileGrid, plan_blocks
from dmcf_jax.evaluation.ranking.tile_kernels import distance_tile
from dmcf_jax.runtime.devices import by_row, ranking_mesh, replicated, shard

# Types whose values float32 holds exactly.
EXACT_TYPES = (np.dtype(np.float32), np.dtype(np.float16))
LARGEST = float(np.finfo(np.float32).max)
RESIDENT_BYTES = 2**30


@runtime_checkable
class Tiles(Protocol):
    """A source of tiles."""

    def tile(self, i: int, j: int) -> Float[Array, "q g"] | Float[np.ndarray, "q g"]:
        """Return the distances of query block i to gallery block j, padding included."""
        ...


class EmbeddingTiles:
    """Tiles of distances between embeddings, by one matrix product each.

    Cosine: `-q.g / (|q| |g|)`. Euclidean: `|g|^2 - 2 q.g`, which ranks as the distance does, as
    the product of `[-2 q, 1]` and `[g, |g|^2]`. `squares` are both sides' `squared_norms`.
    `devices` share each block of queries and all hold the gallery; by default one does all.
    """

    def __init__(
        self,
        queries: Float[np.ndarray, "q d"],
        gallery: Float[np.ndarray, "g d"],
        query_order: Int[np.ndarray, " q"],
        gallery_order: Int[np.ndarray, " g"],
        grid: TileGrid,
        squares: tuple[np.ndarray, np.ndarray],
        metric: str = "cosine",
        devices: Mesh | None = None,
    ):
        left, right = (_cosine_factors if metric == "cosine" else _euclidean_factors)(*squares)
        split, copied = (by_row(devices), replicated(devices)) if devices else (None, None)
        self._queries = _EmbeddingBlocks(queries, query_order, grid.queries, left, split)
        self._gallery = _EmbeddingBlocks(gallery, gallery_order, grid.gallery, right, copied)

    def tile(self, i: int, j: int) -> Float[Array, "q g"]:
        """Return the distances of query block i to gallery block j, padding included."""
        return distance_tile(self._queries.block(i), self._gallery.block(j))


class MatrixTiles:
    """Tiles of a distance matrix that exists, possibly a memory-mapped one.

    Row `query_order[k]` and column `gallery_order[l]` hold what the ranking calls `(k, l)`.
    Values of other types than `EXACT_TYPES` are replaced by their order within the complete row,
    which is all that ranking needs; with `rounded` by the nearest float32, which compares between
    rows. Tiles are in host memory.
    """

    def __init__(
        self,
        matrix: np.ndarray,
        query_order: Int[np.ndarray, " q"],
        gallery_order: Int[np.ndarray, " g"],
        grid: TileGrid,
        rounded: bool = False,
    ):
        self._matrix = matrix
        self._orders = query_order, gallery_order
        self._grid = grid
        self._exact = rounded or matrix.dtype in EXACT_TYPES
        self._ranked = (-1, np.empty((0, 0), np.float32))  # of one query block

    def tile(self, i: int, j: int) -> Float[np.ndarray, "q g"]:
        """Return the distances of query block i to gallery block j, padding included."""
        rows, columns = (
            order[blocks.real(number)]
            for order, blocks, number in zip(self._orders, self._grid, (i, j), strict=True)
        )
        tile = np.zeros(self._grid.tile_shape, np.float32)
        tile[: len(rows), : len(columns)] = (
            self._part(rows, columns) if self._exact else self._order_of(i, rows)[:, columns]
        )
        return tile

    def _part(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        if _is_run(rows):
            part = self._matrix[rows[0] : rows[-1] + 1].take(columns, axis=1)
        else:
            part = self._matrix[np.ix_(rows, columns)]
        # float32 rounds its largest values to infinity, which marks pairs that do not count.
        return part.clip(-LARGEST, LARGEST) if np.can_cast(np.float64, part.dtype) else part

    def _order_of(self, i: int, rows: np.ndarray) -> np.ndarray:
        if self._ranked[0] != i:
            parts = [_dense_ranks(np.asarray(self._matrix[some])) for some in _in_parts(rows)]
            self._ranked = (i, np.concatenate(parts))
        return self._ranked[1]


class _EmbeddingBlocks:
    """Blocks of scaled embeddings; kept on the devices when all of them fit."""

    def __init__(
        self,
        embeddings: np.ndarray,
        order: np.ndarray,
        blocks: RowBlocks,
        transform: "_Scaled | _Extended",
        sharding: NamedSharding | None,
    ):
        self._embeddings = embeddings
        self._order = None if _is_run(order) and len(order) == len(embeddings) else order
        self._blocks = blocks
        self._transform = transform
        self._sharding = sharding
        size = blocks.number * blocks.size * embeddings.shape[1] * 4
        self._kept: dict[int, Array] | None = {} if size <= RESIDENT_BYTES else None

    def block(self, i: int) -> Float[Array, "rows d"]:
        if self._kept is None:
            return self._make(i)
        if i not in self._kept:
            self._kept[i] = self._make(i)
        return self._kept[i]

    def _make(self, i: int) -> Float[Array, "rows d"]:
        real = self._blocks.real(i)
        rows = real if self._order is None else self._order[real]
        values = self._embeddings[rows]
        block = np.empty((self._blocks.size, self._transform.width(values)), np.float32)
        self._transform(values, rows, block[: len(values)])
        block[len(values) :] = 0
        return shard(block, self._sharding) if self._sharding else jax.device_put(block)


@dataclasses.dataclass(frozen=True)
class _Scaled:
    """Rows times a factor each: lengths of 1, or -1 for the side that carries the sign."""

    factors: np.ndarray

    def width(self, values: np.ndarray) -> int:
        return values.shape[1]

    def __call__(self, values: np.ndarray, rows: Any, out: np.ndarray) -> None:
        np.multiply(values, self.factors[rows, None], out=out, casting="same_kind")


@dataclasses.dataclass(frozen=True)
class _Extended:
    """Rows times one factor, and one more column."""

    factor: float
    column: np.ndarray

    def width(self, values: np.ndarray) -> int:
        return values.shape[1] + 1

    def __call__(self, values: np.ndarray, rows: Any, out: np.ndarray) -> None:
        np.multiply(values, np.float32(self.factor), out=out[:, :-1], casting="same_kind")
        out[:, -1] = self.column[rows]


def _cosine_factors(
    query_squares: np.ndarray, gallery_squares: np.ndarray
) -> tuple[_Scaled, _Scaled]:
    factors = (sign / np.sqrt(s) for sign, s in ((-1, query_squares), (1, gallery_squares)))
    left, right = (_Scaled(values.astype(np.float32)) for values in factors)
    return left, right


def _euclidean_factors(
    query_squares: np.ndarray, gallery_squares: np.ndarray
) -> tuple[_Extended, _Extended]:
    ones = np.ones(len(query_squares), np.float32)
    return _Extended(-2.0, ones), _Extended(1.0, gallery_squares.astype(np.float32))


def _is_run(order: np.ndarray) -> bool:
    return len(order) > 0 and bool(np.all(np.diff(order) == 1))


def _in_parts(rows: np.ndarray, size: int = 32) -> list[np.ndarray]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _dense_ranks(rows: np.ndarray) -> Float[np.ndarray, "r g"]:
    """Return each value's place among its row's distinct values, from 0: exact in float32."""
    order = np.argsort(rows, axis=1, kind="stable")
    ascending = np.take_along_axis(rows, order, axis=1)
    steps = np.zeros(rows.shape, np.int64)
    steps[:, 1:] = ascending[:, 1:] > ascending[:, :-1]
    ranks = np.empty(rows.shape, np.float32)
    np.put_along_axis(ranks, order, np.cumsum(steps, axis=1).astype(np.float32), axis=1)
    return ranks


def pairwise_distances(
    queries: Float[np.ndarray, "q d"], gallery: Float[np.ndarray, "g d"], metric: str = "cosine"
) -> Float[np.ndarray, "q g"]:
    """Return the complete matrix `[q, g]` in float32, with the exact bits of `EmbeddingTiles`."""
    devices = ranking_mesh(of_this_process=True)
    grid = plan_blocks(len(queries), len(gallery), None, devices.size)
    orders = np.arange(len(queries)), np.arange(len(gallery))
    squares = squared_norms(queries), squared_norms(gallery)
    return complete_matrix(
        EmbeddingTiles(queries, gallery, *orders, grid, squares, metric, devices), grid
    )


def complete_matrix(tiles: Tiles, grid: TileGrid) -> Float[np.ndarray, "q g"]:
    """Return all tiles of a source as one matrix, without the padding."""
    matrix = np.empty((grid.queries.n, grid.gallery.n), np.float32)
    for i in range(grid.queries.number):
        for j in range(grid.gallery.number):
            part = matrix[grid.queries.real(i), grid.gallery.real(j)]
            part[:] = np.asarray(tiles.tile(i, j))[: part.shape[0], : part.shape[1]]
    return matrix
