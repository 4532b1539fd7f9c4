"""k-reciprocal re-ranking, in blocks and with sparse neighbourhoods.

Z. Zhong et al., Re-ranking Person Re-identification with k-reciprocal Encoding, CVPR 2017. With
d(i, j) the squared Euclidean distance among all queries and gallery images, divided by the
largest distance of image i, and N(i, k) the k + 1 nearest images of i, itself among them:

    R(i, k)  = {j in N(i, k) : i in N(j, k)}                                          (Eq. 2)
    R*(i)    = R(i, k1) and each R(j, k1/2), j in R(i, k1), of which more than two thirds are in
               R(i, k1)                                                                (Eq. 4)
    V(i, j)  = exp(-d(i, j)) for j in R*(i), else 0, with sum 1 over j                 (Eq. 7)
    V        <- mean of V over the k2 nearest images of i, local query expansion      (Eq. 11)
    J(i, j)  = 1 - s / (2 - s), s = sum over l of min(V(i, l), V(j, l))                (Eq. 10)
    d*(i, j) = (1 - lambda) J(i, j) + lambda d(i, j)                                   (Eq. 12)

The usual code makes dense n x n arrays. Here a row of V, which has some dozens of entries, is a
list of (index, weight) with the capacity of the longest row (`neighbourhoods.py`). Off by default;
a result that used it names it.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

from dmcf_jax.errors import UserError
from dmcf_jax.evaluation.ranking.checks import squared_norms
from dmcf_jax.evaluation.ranking.neighbourhoods import encode, squared_distances
from dmcf_jax.evaluation.ranking.tile_grid import TileGrid


@dataclasses.dataclass(frozen=True)
class KReciprocal:
    """k1, k2: sizes of the neighbourhoods; weight: lambda in Eq. (12), in [0, 1]."""

    k1: int = 20
    k2: int = 6
    weight: float = 0.3

    def __post_init__(self):
        if self.k1 < 1 or self.k2 < 1 or not 0 <= self.weight <= 1:
            wrong = "k1" if self.k1 < 1 else "k2" if self.k2 < 1 else "weight"
            raise UserError(
                f"{self}: k1 and k2 must be at least 1, lambda between 0 and 1", about=wrong
            )

    def __str__(self) -> str:
        """Return how a result names it."""
        return f"k-reciprocal re-ranking (k1={self.k1}, k2={self.k2}, lambda={self.weight})"


class RerankedTiles:
    """Tiles of the re-ranked distance d*, like `distances.EmbeddingTiles`."""

    def __init__(
        self,
        queries: Float[np.ndarray, "q d"],
        gallery: Float[np.ndarray, "g d"],
        query_order: Int[np.ndarray, " q"],
        gallery_order: Int[np.ndarray, " g"],
        grid: TileGrid,
        settings: KReciprocal,
        metric: str = "cosine",
    ):
        # Rows of `_points` are the queries, then the gallery.
        images = np.concatenate([queries[query_order], gallery[gallery_order]])
        self._grid, self._weight = grid, settings.weight
        self._points = jax.device_put(_points(images, metric))
        indices, weights, self._largest = encode(self._points, settings.k1, settings.k2)
        self._lists = indices, weights
        self._gallery_start = len(query_order)

    def tile(self, i: int, j: int) -> Float[Array, "q g"]:
        """Return d* of query block i to gallery block j, padding included."""
        queries, gallery = (self._rows(side, block) for side, block in enumerate((i, j)))
        lists = [values[rows] for rows in (queries, gallery) for values in self._lists]
        return _tile(self._points, queries, gallery, *lists, self._largest[queries], self._weight)

    def _rows(self, side: int, block: int) -> Int[np.ndarray, " rows"]:
        """Return the points of one side's block; the padding repeats the last one."""
        blocks = self._grid[side]
        rows = np.minimum(np.arange(blocks.size) + blocks.start(block), blocks.n - 1)
        return rows + side * self._gallery_start


@jax.jit
def _tile(
    points: Float[Array, "n d"],
    queries: Int[Array, " q"],
    gallery: Int[Array, " g"],
    indices: Int[Array, "q m"],
    weights: Float[Array, "q m"],
    gallery_indices: Int[Array, "g m"],
    gallery_weights: Float[Array, "g m"],
    largest: Float[Array, " q"],
    share: Float[Array, ""],
) -> Float[Array, "q g"]:
    # Columns of `rows` are queries, so that an entry of a gallery image's list touches one
    # contiguous row: the minimum with it is a vector operation over all queries of the tile.
    rows = jnp.zeros((len(points) + 1, len(queries)))
    rows = rows.at[indices, jnp.arange(len(queries))[:, None]].set(weights)

    def add(entry, shared):
        column = rows[gallery_indices[:, entry]]
        return shared + jnp.minimum(column, gallery_weights[:, entry, None])

    shared = jnp.zeros((len(gallery), len(queries)))
    shared = lax.fori_loop(0, gallery_indices.shape[1], add, shared).T
    original = squared_distances(points[queries], points[gallery]) / largest[:, None]
    return (1 - share) * (1 - shared / (2 - shared)) + share * original


def _points(embeddings: Float[np.ndarray, "n d"], metric: str) -> Float[np.ndarray, "n d"]:
    embeddings = embeddings.astype(np.float32, copy=False)
    if metric == "euclidean":
        return embeddings
    return embeddings / np.sqrt(squared_norms(embeddings)).astype(np.float32)[:, None]
