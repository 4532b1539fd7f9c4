"""What a trial computes with its rows: ranks, and the verification of all its pairs.

Where the distances between all queries and every image that some trial draws fit in memory they
are computed once; otherwise each trial computes its own.
"""

from collections.abc import Sequence
from typing import Protocol as Interface
from typing import runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from dmcf_jax.evaluation.ranking.distances import pairwise_distances
from dmcf_jax.evaluation.ranking.query_expansion import QueryExpansion, expand_queries
from dmcf_jax.evaluation.ranking.ranking import RankedQueries, rank_distances, rank_queries
from dmcf_jax.evaluation.ranking.reranking import KReciprocal
from dmcf_jax.evaluation.verification import Verification, verify_distances, verify_queries

# Rows of one trial: of the queries, of the gallery.
Rows = tuple[Int[np.ndarray, " q"], Int[np.ndarray, " g"]]
# Identities of queries and gallery, then their cameras.
Labels = Sequence[Int[np.ndarray, " _"]]


@runtime_checkable
class TrialScores(Interface):
    """Scores the trials of a split."""

    def rank(self, rows: Rows, labels: Labels, ignore: str, cmc: str) -> RankedQueries:
        """Rank the gallery for every query, see `rank_queries`."""
        ...

    def verify(self, rows: Rows, labels: Labels, ignore: str) -> Verification | None:
        """Verify all pairs; None where scores are not those of a pair alone."""
        ...


class SharedDistances:
    """Trials as parts of one matrix of distances."""

    def __init__(
        self,
        embeddings: Float[np.ndarray, "n d"],
        queries: Int[np.ndarray, " q"],
        gallery: Int[np.ndarray, " g"],
    ):
        """Compute the matrix.

        Args:
            queries, gallery: rows of the embeddings, ascending, that the trials choose from.
        """
        self._queries, self._gallery = queries, gallery
        self._matrix = pairwise_distances(embeddings[queries], embeddings[gallery])

    def rank(self, rows: Rows, labels: Labels, ignore: str, cmc: str) -> RankedQueries:
        """Rank the gallery for every query, see `rank_queries`."""
        part = self._part(rows)
        return rank_distances(self._matrix, *labels, check=False, **part, ignore=ignore, cmc=cmc)

    def verify(self, rows: Rows, labels: Labels, ignore: str) -> Verification:
        """Verify all pairs, see `verify_distances`."""
        return verify_distances(self._matrix, *labels, **self._part(rows), ignore=ignore)

    def _part(self, rows: Rows) -> dict[str, np.ndarray]:
        return {
            "rows": np.searchsorted(self._queries, rows[0]),
            "columns": np.searchsorted(self._gallery, rows[1]),
        }


class OwnDistances:
    """Trials that compute their distances, and what is done to them, themselves."""

    def __init__(
        self,
        embeddings: Float[np.ndarray, "n d"],
        reranking: KReciprocal | None = None,
        query_expansion: QueryExpansion | None = None,
    ):
        """Keep the embeddings."""
        self._embeddings = embeddings
        self._reranking, self._expansion = reranking, query_expansion

    def rank(self, rows: Rows, labels: Labels, ignore: str, cmc: str) -> RankedQueries:
        """Rank the gallery for every query, see `rank_queries`."""
        queries, gallery = (self._embeddings[side] for side in rows)
        if self._expansion is not None:
            queries = expand_queries(queries, gallery, self._expansion)
        rules = {"ignore": ignore, "cmc": cmc}
        return rank_queries(queries, gallery, *labels, reranking=self._reranking, **rules)

    def verify(self, rows: Rows, labels: Labels, ignore: str) -> Verification | None:
        """Verify all pairs, see `verify_queries`.

        Returns:
            None where the gallery as a whole changes the score of a pair.
        """
        if self._reranking is not None or self._expansion is not None:
            return None
        return verify_queries(*(self._embeddings[side] for side in rows), *labels, ignore=ignore)
