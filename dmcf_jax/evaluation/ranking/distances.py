"""Where the tiles of the distance matrix come from: embeddings, or a matrix that exists.

A source hands out tile (i, j): block i of the queries against block j of the gallery, both in the
order that the ranking asked for and padded to whole blocks. The matrix as a whole never exists.
"""

import dataclasses
from collections.abc import Sequence

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Float, Int

from dmcf_jax.errors import UserError
from dmcf_jax.evaluation.ranking.tile_kernels import distance_tile, lanes_of
from dmcf_jax.runtime.devices import by_row, ranking_mesh, replicated, shard

METRICS = ("cosine", "euclidean")
EXACT_TYPES = (np.dtype(np.float32), np.dtype(np.float16))
TILE_ELEMENTS = 2**21
RESIDENT_BYTES = 2**30
NAMED = 10
SHORTEST_SQUARE = 1e-74
LONGEST_SQUARE = {"cosine": 1e74, "euclidean": 1e37}


@dataclasses.dataclass(frozen=True)
class Blocks:
    """How `n` rows are cut: `number` blocks of `size` rows, the last one padded."""

    n: int
    size: int

    @property
    def number(self) -> int:
        return -(-self.n // self.size)

    def start(self, block: int) -> int:
        return block * self.size

    def real(self, block: int) -> slice:
        """Return the rows of a block that are not padding."""
        return slice(block * self.size, min(self.n, (block + 1) * self.size))

    def padded(self, values: np.ndarray, fill) -> np.ndarray:
        """Return `values` `[n]` with `fill` up to whole blocks."""
        missing = self.number * self.size - self.n
        return np.concatenate([values, np.full(missing, fill, values.dtype)])


def cut(
    queries: int, gallery: int, block: tuple[int, int] | None, devices: int = 1
) -> tuple[Blocks, Blocks]:
    """Return the blocks of queries and of gallery, about `block` rows each.

    By default a gallery block is the whole gallery up to 4,096 images and a device's share of a
    tile has about two million elements (8 MB). Sizes are rounded up to what the kernels need:
    each of the `devices` gets as many queries of a block, a multiple of 8.
    """
    if block is not None and min(block) < 1:
        raise UserError(f"block={block}: both block sizes must be at least 1")
    wanted_gallery = -(-gallery // -(-gallery // 4096)) if block is None else min(block[1], gallery)
    gallery_blocks = Blocks(gallery, _round_up(wanted_gallery, lanes_of(wanted_gallery)))
    if block is None:
        most = devices * min(4096, max(8, TILE_ELEMENTS // gallery_blocks.size))
        wanted = -(-queries // -(-queries // most))
    else:
        wanted = min(block[0], queries)
    return Blocks(queries, _round_up(wanted, 8 * devices)), gallery_blocks


def _round_up(value, multiple):
    return -(-value // multiple) * multiple


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
        cuts: tuple[Blocks, Blocks],
        squares: tuple[np.ndarray, np.ndarray],
        metric: str = "cosine",
        devices: Mesh | None = None,
    ):
        left, right = (_cosine_sides if metric == "cosine" else _euclidean_sides)(*squares)
        by_query, whole = (by_row(devices), replicated(devices)) if devices else (None, None)
        self._queries = _Rows(queries, query_order, cuts[0], left, by_query)
        self._gallery = _Rows(gallery, gallery_order, cuts[1], right, whole)

    def tile(self, i: int, j: int) -> Float[Array, "q g"]:
        return distance_tile(self._queries.block(i), self._gallery.block(j))


class MatrixTiles:
    """Tiles of a distance matrix that exists, possibly a memory-mapped one.

    Row `query_order[k]` and column `gallery_order[l]` hold what the ranking calls `(k, l)`.
    Values that float32 cannot tell apart are replaced by their order within the row, which is
    all that ranking looks at. That order is taken over the whole row. Tiles are in host memory.
    """

    def __init__(
        self,
        matrix: np.ndarray,
        query_order: Int[np.ndarray, " q"],
        gallery_order: Int[np.ndarray, " g"],
        cuts: tuple[Blocks, Blocks],
    ):
        self._matrix = matrix
        self._orders = query_order, gallery_order
        self._cuts = cuts
        self._exact = matrix.dtype in EXACT_TYPES
        self._ranked = (-1, None)

    def tile(self, i: int, j: int) -> Float[np.ndarray, "q g"]:
        rows, columns = (
            o[c.real(b)] for o, c, b in zip(self._orders, self._cuts, (i, j), strict=True)
        )
        tile = np.zeros([cut.size for cut in self._cuts], np.float32)
        tile[: len(rows), : len(columns)] = (
            self._part(rows, columns) if self._exact else self._order_of(i, rows)[:, columns]
        )
        return tile

    def _part(self, rows, columns):
        if _is_run(rows):
            return self._matrix[rows[0] : rows[-1] + 1].take(columns, axis=1)
        return self._matrix[np.ix_(rows, columns)]

    def _order_of(self, i, rows):
        if self._ranked[0] != i:
            parts = [_dense_ranks(np.asarray(self._matrix[some])) for some in _in_parts(rows)]
            self._ranked = (i, np.concatenate(parts))
        return self._ranked[1]


class _Rows:
    """Blocks of scaled embeddings; on the devices for good when they are small enough."""

    def __init__(self, embeddings, order, blocks, transform, sharding):
        self._embeddings = embeddings
        self._order = None if _is_run(order) and len(order) == len(embeddings) else order
        self._blocks = blocks
        self._transform = transform
        self._sharding = sharding
        size = blocks.number * blocks.size * embeddings.shape[1] * 4
        self._kept = {} if size <= RESIDENT_BYTES else None

    def block(self, i):
        if self._kept is None:
            return self._make(i)
        if i not in self._kept:
            self._kept[i] = self._make(i)
        return self._kept[i]

    def _make(self, i):
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

    def width(self, values):
        return values.shape[1]

    def __call__(self, values, rows, out):
        np.multiply(values, self.factors[rows, None], out=out, casting="same_kind")


@dataclasses.dataclass(frozen=True)
class _Extended:
    """Rows times one factor, and one more column."""

    factor: float
    column: np.ndarray

    def width(self, values):
        return values.shape[1] + 1

    def __call__(self, values, rows, out):
        np.multiply(values, np.float32(self.factor), out=out[:, :-1], casting="same_kind")
        out[:, -1] = self.column[rows]


def _cosine_sides(query_squares, gallery_squares):
    factors = (sign / np.sqrt(s) for sign, s in ((-1, query_squares), (1, gallery_squares)))
    return tuple(_Scaled(values.astype(np.float32)) for values in factors)


def _euclidean_sides(query_squares, gallery_squares):
    ones = np.ones(len(query_squares), np.float32)
    return _Extended(-2.0, ones), _Extended(1.0, gallery_squares.astype(np.float32))


def squared_norms(embeddings: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
    """Return each row's squared length in float64: NaN or infinite where the row is."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.einsum("nd,nd->n", embeddings, embeddings, dtype=np.float64)


def _is_run(order):
    return len(order) > 0 and bool(np.all(np.diff(order) == 1))


def _in_parts(rows, size=32):
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _dense_ranks(rows):
    """Return the place of each value among its row's distinct values, from 0: exact in float32."""
    order = np.argsort(rows, axis=1, kind="stable")
    ascending = np.take_along_axis(rows, order, axis=1)
    steps = np.zeros(rows.shape, np.int64)
    steps[:, 1:] = ascending[:, 1:] > ascending[:, :-1]
    ranks = np.empty(rows.shape, np.float32)
    np.put_along_axis(ranks, order, np.cumsum(steps, axis=1).astype(np.float32), axis=1)
    return ranks


def embedding_problems(
    squares: Float[np.ndarray, " n"],
    name: str,
    metric: str = "cosine",
    paths: Sequence[str] | np.ndarray | None = None,
) -> list[str]:
    """Return one line for each embedding that cannot be compared, ten at most and a count.

    Wrong is NaN, infinity, and a length that float32 cannot work with: for `cosine` also one of
    (almost) 0. `squares` are the embeddings' `squared_norms`, which show all of these.
    """
    finite = np.isfinite(squares)
    reasons = [
        (~finite, "has NaN or infinity"),
        (finite & (squares > LONGEST_SQUARE[metric]), "is too long for float32"),
    ]
    if metric == "cosine":
        reasons.append((squares < SHORTEST_SQUARE, "has length 0, so it has no direction"))
    found = [(row, reason) for rows, reason in reasons for row in np.flatnonzero(rows)]
    lines = [f"{name} {_label(row, paths)} {reason}" for row, reason in sorted(found)[:NAMED]]
    if len(found) > NAMED:
        lines.append(f"and {len(found) - NAMED} more of the {len(squares)} {name} rows")
    return lines


def _label(row, paths):
    return f"row {row}" if paths is None else f"row {row} ({paths[row]})"


def matrix_problems(matrix: np.ndarray, rows_at_once: int = 256) -> list[str]:
    """Return one line for each row of a distance matrix that holds NaN or infinity, ten at most."""
    bad = [
        start + row
        for start in range(0, len(matrix), rows_at_once)
        for row in np.flatnonzero(~np.isfinite(matrix[start : start + rows_at_once]).all(axis=1))
    ]
    lines = [f"distances row {row} has NaN or infinity" for row in bad[:NAMED]]
    return lines + ([f"and {len(bad) - NAMED} more rows"] if len(bad) > NAMED else [])


def pairwise_distances(
    queries: Float[np.ndarray, "q d"], gallery: Float[np.ndarray, "g d"], metric: str = "cosine"
) -> Float[np.ndarray, "q g"]:
    """Return the whole matrix `[q, g]` in float32, with the very bits of `EmbeddingTiles`."""
    devices = ranking_mesh(of_this_process=True)
    cuts = cut(len(queries), len(gallery), None, devices.size)
    orders = np.arange(len(queries)), np.arange(len(gallery))
    squares = squared_norms(queries), squared_norms(gallery)
    tiles = EmbeddingTiles(queries, gallery, *orders, cuts, squares, metric, devices)
    matrix = np.empty((len(queries), len(gallery)), np.float32)
    for i in range(cuts[0].number):
        for j in range(cuts[1].number):
            part = matrix[cuts[0].real(i), cuts[1].real(j)]
            part[:] = np.asarray(tiles.tile(i, j))[: part.shape[0], : part.shape[1]]
    return matrix
