"""Average query expansion: a query is replaced by the mean of itself and its nearest images.

O. Chum et al., Total Recall: Automatic Query Expansion with a Generative Feature Model for Object
Retrieval, ICCV 2007. Off by default; a result that used it says so.
"""

import dataclasses

import numpy as np
from jaxtyping import Float, Int

from dmcf_jax.errors import UserError
from dmcf_jax.evaluation.ranking.checks import squared_norms
from dmcf_jax.evaluation.ranking.distances import EmbeddingTiles
from dmcf_jax.evaluation.ranking.tile_grid import plan_blocks
from dmcf_jax.evaluation.ranking.top_k import top_k_of_tiles


@dataclasses.dataclass(frozen=True)
class QueryExpansion:
    """`k`: how many of the nearest gallery images are averaged with the query."""

    k: int = 5

    def __post_init__(self):
        if self.k < 1:
            raise UserError(f"query expansion with k={self.k}: must be at least 1", about="k")

    def __str__(self) -> str:
        """Return how a result names it."""
        return f"average query expansion (k={self.k})"


def expand_queries(
    queries: Float[np.ndarray, "q d"],
    gallery: Float[np.ndarray, "g d"],
    settings: QueryExpansion,
    metric: str = "cosine",
    block: tuple[int, int] | None = None,
) -> Float[np.ndarray, "q d"]:
    """Return the mean of each query and its `k` nearest gallery images.

    With `cosine` all are scaled to length 1 first. The gallery is read in blocks. Ignore rules,
    which may look at identities, do not apply here, only to the ranking.
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
) -> Int[np.ndarray, "q k"]:
    """Return the gallery rows `[q, k]` nearest to each query, nearest first, block by block."""
    grid = plan_blocks(len(queries), len(gallery), block)
    squares = squared_norms(queries), squared_norms(gallery)
    orders = np.arange(len(queries)), np.arange(len(gallery))
    tiles = EmbeddingTiles(queries, gallery, *orders, grid, squares, metric)
    blocks = [
        (grid.gallery.start(j), grid.gallery.real(j).stop - grid.gallery.start(j))
        for j in range(grid.gallery.number)
    ]
    found = []
    for i in range(grid.queries.number):
        scores = ((start, real, -tiles.tile(i, j)) for j, (start, real) in enumerate(blocks))
        found.append(top_k_of_tiles(scores, k)[1])
    return np.concatenate(found)[: len(queries)]


def _unit(embeddings: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    return embeddings / np.sqrt(squared_norms(embeddings))[:, None]
