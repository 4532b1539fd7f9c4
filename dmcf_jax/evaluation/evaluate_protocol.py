"""One protocol over all its trials, from embeddings that were computed once.

Trials only choose rows. Where the distances between all queries and every image that some trial
draws fit in memory they are computed once; otherwise each trial streams its own.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from dmcf_jax.errors import UserError
from dmcf_jax.evaluation.galleries import Metadata, directories, hash_paths, select
from dmcf_jax.evaluation.permutations import Permutations
from dmcf_jax.evaluation.protocols import Protocol
from dmcf_jax.evaluation.ranking.distances import (
    embedding_problems,
    pairwise_distances,
    squared_norms,
)
from dmcf_jax.evaluation.ranking.query_expansion import QueryExpansion, expand_queries
from dmcf_jax.evaluation.ranking.ranking import Metrics, rank_distances, rank_queries, summarise
from dmcf_jax.evaluation.ranking.reranking import KReciprocal

MATRIX_BYTES = 2**29


@dataclasses.dataclass(frozen=True)
class TrialResult:
    """One trial: its number, metrics, and SHA-256 of its gallery's and queries' paths."""

    trial: int
    metrics: Metrics
    gallery_hash: str
    query_hash: str


@dataclasses.dataclass(frozen=True)
class ProtocolResult:
    """All trials of a protocol; `options` names what departs from plain ranking."""

    protocol: Protocol
    trials: tuple[TrialResult, ...]
    options: tuple[str, ...] = ()


def evaluate_protocol(
    protocol: Protocol,
    embeddings: Float[np.ndarray, "n d"],
    metadata: Metadata,
    *,
    permutations: Permutations | None = None,
    trials: Sequence[int] | None = None,
    first_trial: int = 0,
    reranking: KReciprocal | None = None,
    query_expansion: QueryExpansion | None = None,
    metric: str = "cosine",
    max_rank: int = 20,
    options: Sequence[str] = (),
) -> ProtocolResult:
    """Score the embeddings of a whole test split by one protocol.

    Args:
        embeddings: one row for each image of the split, in the order of `metadata`.
        permutations: for the official SYSU-MM01 protocols.
        trials: which draws to score; all by default.
        first_trial: added to the number of each trial in the result, so that RegDB's one draw
            can carry the number of its split (1..10).
        options: names of what was done before (such as flip averaging), for the result.

    Raises UserError for embeddings that cannot be ranked (naming the images), for missing images
    and when no query is valid.
    """
    results = evaluate_protocols(
        [protocol],
        embeddings,
        metadata,
        permutations=permutations,
        trials=trials,
        first_trial=first_trial,
        reranking=reranking,
        query_expansion=query_expansion,
        metric=metric,
        max_rank=max_rank,
        options=options,
    )
    return results[0]


def evaluate_protocols(
    protocols: Sequence[Protocol],
    embeddings: Float[np.ndarray, "n d"],
    metadata: Metadata,
    *,
    permutations: Permutations | None = None,
    trials: Sequence[int] | None = None,
    first_trial: int = 0,
    reranking: KReciprocal | None = None,
    query_expansion: QueryExpansion | None = None,
    metric: str = "cosine",
    max_rank: int = 20,
    options: Sequence[str] = (),
) -> list[ProtocolResult]:
    """Score several protocols, as `evaluate_protocol`, sharing the distances between them."""
    _check(embeddings, metadata, metric)
    split = _Split(metadata, permutations)
    draws = {
        protocol.name: split.draws(protocol, _wanted(protocol, trials)) for protocol in protocols
    }
    named = tuple(options) + tuple(str(o) for o in (query_expansion, reranking) if o is not None)
    if reranking is None and query_expansion is None:
        rank = _shared_distances(embeddings, draws, metric)
    else:
        rank = _by_embeddings(embeddings, reranking, query_expansion, metric)
    return [
        ProtocolResult(
            protocol,
            tuple(
                split.score(protocol, trial, first_trial, rows, rank, max_rank)
                for trial, rows in draws[protocol.name].items()
            ),
            named,
        )
        for protocol in protocols
    ]


def _check(embeddings, metadata, metric):
    if len(embeddings) != len(metadata.path):
        raise UserError(f"{len(embeddings)} embeddings for {len(metadata.path)} images")
    squares = squared_norms(embeddings)
    problems = embedding_problems(squares, "image", metric, metadata.path)
    if problems:
        raise UserError.listing("embeddings that cannot be ranked:", problems)


def _wanted(protocol, trials):
    wanted = range(protocol.trials) if trials is None else trials
    wrong = [trial for trial in wanted if not 0 <= trial < protocol.trials]
    if wrong:
        raise UserError(f"trials {wrong}: {protocol.name} has trials 0..{protocol.trials - 1}")
    return wanted


class _Split:
    """A test split; finds the directories of each selection once."""

    def __init__(self, metadata, permutations):
        self._metadata, self._permutations = metadata, permutations
        self._directories, self._hashes = {}, {}

    def draws(self, protocol, trials):
        """Return {trial: (query rows, gallery rows)}."""
        sides = (protocol.queries, protocol.gallery)
        return {trial: tuple(self._rows(side, trial) for side in sides) for trial in trials}

    def _rows(self, selection, trial):
        if selection not in self._directories:
            self._directories[selection] = directories(self._metadata, selection)
        return select(selection, self._directories[selection], trial, self._permutations)

    def score(self, protocol, trial, first_trial, rows, rank, max_rank):
        identity, camera = np.asarray(self._metadata.identity), np.asarray(self._metadata.camera)
        labels = [values[side] for values in (identity, camera) for side in rows]
        ranked = rank(rows, labels, {"ignore": protocol.ignore, "cmc": protocol.cmc})
        query_hash, gallery_hash = (self._hash(side) for side in rows)
        metrics = summarise(ranked, max_rank)
        return TrialResult(trial + first_trial, metrics, gallery_hash, query_hash)

    def _hash(self, rows):
        key = rows.tobytes()
        if key not in self._hashes:
            self._hashes[key] = hash_paths(np.asarray(self._metadata.path)[rows])
        return self._hashes[key]


def _shared_distances(embeddings, draws, metric):
    """Return a function that ranks a trial by columns of one matrix, when that fits."""
    trials = [rows for by_trial in draws.values() for rows in by_trial.values()]
    queries, gallery = (_union([rows[side] for rows in trials], len(embeddings)) for side in (0, 1))
    drawn = sum(len(query_rows) * len(gallery_rows) for query_rows, gallery_rows in trials)
    size = len(queries) * len(gallery)
    if size * 4 > MATRIX_BYTES or size > drawn:
        return _by_embeddings(embeddings, None, None, metric)
    matrix = pairwise_distances(embeddings[queries], embeddings[gallery], metric)

    def rank(rows, labels, rules):
        places = (
            np.searchsorted(all_rows, side)
            for all_rows, side in zip((queries, gallery), rows, strict=True)
        )
        row_places, columns = places
        return rank_distances(
            matrix, *labels, rows=row_places, columns=columns, check=False, **rules
        )

    return rank


def _union(selections, n):
    chosen = np.zeros(n, bool)
    for rows in selections:
        chosen[rows] = True
    return np.flatnonzero(chosen)


def _by_embeddings(embeddings, reranking, query_expansion, metric):
    def rank(rows, labels, rules):
        queries, gallery = (embeddings[side] for side in rows)
        if query_expansion is not None:
            queries = expand_queries(queries, gallery, query_expansion, metric)
        return rank_queries(queries, gallery, *labels, metric=metric, reranking=reranking, **rules)

    return rank
