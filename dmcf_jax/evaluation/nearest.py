"""The first images of each query's ranked list under a protocol, for people to look at."""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float, Int

from dmcf_jax.evaluation.galleries import Metadata
from dmcf_jax.evaluation.permutations import Permutations
from dmcf_jax.evaluation.protocols import Protocol, queries_and_gallery
from dmcf_jax.evaluation.ranking.ranking import rank_queries
from dmcf_jax.evaluation.ranking.tile_kernels import hide_ignored
from dmcf_jax.evaluation.ranking.top_k import top_k_of_tiles
from dmcf_jax.runtime.devices import ranking_mesh

QUERIES_AT_ONCE = 256


@dataclasses.dataclass(frozen=True)
class Nearest:
    """One trial's queries and the first k of their ranked lists; rows are those of the split.

    queries: the queries that have a relevant image.
    average_precision: of each, in (0, 1].
    rows, scores: of the k nearest gallery images, best first, without what the protocol ignores.
        Where a list is shorter than k, -1 and -infinity.
    right: whether each shows the query's person.
    """

    queries: Int[np.ndarray, " q"]
    average_precision: Float[np.ndarray, " q"]
    rows: Int[np.ndarray, "q k"]
    scores: Float[np.ndarray, "q k"]
    right: Bool[np.ndarray, "q k"]


def nearest(
    protocol: Protocol,
    embeddings: Float[np.ndarray, "n d"],
    metadata: Metadata,
    k: int = 10,
    permutations: Permutations | None = None,
) -> Nearest:
    """Return the first `k` of each ranked list of the protocol's first trial, by cosine.

    Args:
        embeddings: of unit length, one row for each image of the split.
    """
    # Numbered from 0, which fits the kernels' int32.
    _, identity = np.unique(metadata.identity, return_inverse=True)
    identity, camera = identity.astype(np.int32), np.asarray(metadata.camera)
    queries, gallery = sides = queries_and_gallery(protocol, metadata, 0, permutations)
    ranked = rank_queries(
        *(embeddings[rows] for rows in sides),
        *(identity[rows] for rows in sides),
        *(camera[rows] for rows in sides),
        ignore=protocol.ignore,
        # Of several processes only the one that writes the page calls this.
        devices=ranking_mesh(of_this_process=True),
    )
    queries = queries[ranked.valid]
    k = min(k, len(gallery))
    rows = np.empty((len(queries), k), np.int64)
    scores = np.empty((len(queries), k), np.float32)
    for start in range(0, len(queries), QUERIES_AT_ONCE):
        part = slice(start, start + QUERIES_AT_ONCE)
        labels = [
            values[side] for side in (queries[part], gallery) for values in (identity, camera)
        ]
        distances = -(embeddings[queries[part]] @ embeddings[gallery].T)
        visible = hide_ignored(distances, *labels, np.int32(-1), protocol.ignore)
        scores[part], found = top_k_of_tiles([(0, len(gallery), -visible)], k)
        rows[part] = np.where(found < 0, -1, gallery[found])
    right = (identity[rows] == identity[queries][:, None]) & (rows >= 0)
    return Nearest(queries, ranked.average_precision[ranked.valid], rows, scores, right)
