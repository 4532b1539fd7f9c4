"""What stands first in each query's ranked list under a protocol, for people to look at."""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float, Int

from dmcf_jax.evaluation.galleries import Metadata
from dmcf_jax.evaluation.permutations import Permutations
from dmcf_jax.evaluation.protocols import Protocol, queries_and_gallery
from dmcf_jax.evaluation.ranking.ranking import rank_queries
from dmcf_jax.runtime.devices import ranking_mesh

QUERIES_AT_ONCE = 256


@dataclasses.dataclass(frozen=True)
class Nearest:
    """One trial's queries and the first k of their ranked lists; rows are those of the split.

    queries: the queries that have a relevant image.
    average_precision: of each, in (0, 1].
    rows, scores: of the k nearest gallery images, best first; what the protocol ignores is left
        out. Where a list is shorter than k, -1 and -infinity.
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
    identity, camera = np.asarray(metadata.identity), np.asarray(metadata.camera)
    queries, gallery = queries_and_gallery(protocol, metadata, 0, permutations)
    ranked = rank_queries(
        *(embeddings[rows] for rows in (queries, gallery)),
        *(identity[rows] for rows in (queries, gallery)),
        *(camera[rows] for rows in (queries, gallery)),
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
        tile = embeddings[queries[part]] @ embeddings[gallery].T
        tile[_ignored(protocol.ignore, identity, camera, queries[part], gallery)] = -np.inf
        order = np.argsort(-tile, axis=1, kind="stable")[:, :k]
        scores[part] = np.take_along_axis(tile, order, axis=1)
        rows[part] = gallery[order]
    rows[np.isneginf(scores)] = -1
    right = (identity[rows] == identity[queries][:, None]) & (rows >= 0)
    return Nearest(queries, ranked.average_precision[ranked.valid], rows, scores, right)


def _ignored(rule, identity, camera, queries, gallery) -> np.ndarray:
    """Return which gallery images each query ignores [q g]; see `tile_kernels.IGNORE_RULES`."""
    asked, found = camera[queries][:, None], camera[gallery][None, :]
    if rule == "cam3-cam2":
        return (asked == 3) & (found == 2)
    same = identity[queries][:, None] == identity[gallery][None, :]
    return same & (asked == found) & (rule == "same-identity-same-camera")
