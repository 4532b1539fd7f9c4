"""Average query expansion: a query is replaced by the mean of itself and its nearest images.

O. Chum et al., Total Recall: Automatic Query Expansion with a Generative Feature Model for Object
Retrieval, ICCV 2007. Off by default; a result that used it says so.
"""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Float

from dmcf_jax.errors import UserError
from dmcf_jax.evaluation.ranking.distances import EmbeddingTiles, cut, squared_norms


@dataclasses.dataclass(frozen=True)
class QueryExpansion:
    """`k`: how many of the nearest gallery images are averaged with the query."""

    k: int = 5

    def __post_init__(self):
        if self.k < 1:
            raise UserError(f"query expansion with k={self.k}: must be at least 1")

    def __str__(self) -> str:
        return f"average query expansion (k={self.k})"


def expand_queries(
    queries: Float[np.ndarray, "q d"],
    gallery: Float[np.ndarray, "g d"],
    settings: QueryExpansion,
    metric: str = "cosine",
    block: tuple[int, int] | None = None,
) -> Float[np.ndarray, "q d"]:
    """Return the mean of each query and its `k` nearest gallery images.

    With `cosine` all are brought to length 1 first. The gallery is streamed in blocks. It is
    taken whole: ignore rules, which may look at identities, apply to the ranking only.
    """
    nearest = nearest_images(queries, gallery, min(settings.k, len(gallery)), metric, block)
    if metric == "cosine":
        queries, gallery = (_unit(side) for side in (queries, gallery))
    expanded = queries.astype(np.float64)
    for column in nearest.T:
        expanded += gallery[column]
    return (expanded / (nearest.shape[1] + 1)).astype(np.float32)


def nearest_images(
    queries: Float[np.ndarray, "q d"],
    gallery: Float[np.ndarray, "g d"],
    k: int,
    metric: str = "cosine",
    block: tuple[int, int] | None = None,
) -> np.ndarray:
    """Return the gallery rows `[q, k]` nearest to each query, nearest first, streamed."""
    cuts = cut(len(queries), len(gallery), block)
    squares = squared_norms(queries), squared_norms(gallery)
    orders = np.arange(len(queries)), np.arange(len(gallery))
    tiles = EmbeddingTiles(queries, gallery, *orders, cuts, squares, metric)
    found = []
    for i in range(cuts[0].number):
        best = jnp.full((cuts[0].size, k), jnp.inf), jnp.zeros((cuts[0].size, k), jnp.int32)
        for j in range(cuts[1].number):
            real = cuts[1].real(j)
            tile = tiles.tile(i, j)
            best = _merge(*best, tile, jnp.int32(real.start), jnp.int32(real.stop - real.start), k)
        rows = cuts[0].real(i)
        found.append(np.asarray(best[1])[: rows.stop - rows.start])
    return np.concatenate(found)


@partial(jax.jit, static_argnames="k")
def _merge(distances, images, tile, start, width, k):
    column = jnp.arange(tile.shape[1], dtype=jnp.int32)
    tile = jnp.where(column < width, tile, jnp.inf)
    distances = jnp.concatenate([distances, tile], axis=1)
    column = jnp.broadcast_to(column + start, tile.shape)
    images = jnp.concatenate([images, column], axis=1)
    best, place = lax.top_k(-distances, k)
    return -best, jnp.take_along_axis(images, place, axis=1)


def _unit(embeddings):
    return embeddings / np.sqrt(squared_norms(embeddings))[:, None]
