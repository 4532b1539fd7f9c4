"""Protocols over all their trials, from embeddings that were computed once; trials choose rows."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from dmcf_jax.errors import UserError
from dmcf_jax.evaluation.galleries import Metadata, directories, hash_paths, select
from dmcf_jax.evaluation.permutations import Permutations
from dmcf_jax.evaluation.protocols import SAME_PERSON_AND_CAMERA, Protocol
from dmcf_jax.evaluation.ranking.checks import embedding_problems, squared_norms
from dmcf_jax.evaluation.ranking.query_expansion import QueryExpansion
from dmcf_jax.evaluation.ranking.ranking import Metrics, summarise
from dmcf_jax.evaluation.ranking.reranking import KReciprocal
from dmcf_jax.evaluation.suspicions import hidden_images, suspicions
from dmcf_jax.evaluation.trial_scores import OwnDistances, Rows, SharedDistances, TrialScores
from dmcf_jax.evaluation.verification import Verification


@dataclasses.dataclass(frozen=True)
class TrialResult:
    """One trial: its number, metrics, and SHA-256 of its gallery's and queries' paths.

    `notes` are reasons to doubt the scores, see `suspicions`. `verification` is None where it was
    not asked for, or cannot be measured.
    """

    trial: int
    metrics: Metrics
    gallery_hash: str
    query_hash: str
    notes: tuple[str, ...] = ()
    verification: Verification | None = None


@dataclasses.dataclass(frozen=True)
class ProtocolResult:
    """All trials of a protocol; `options` names what departs from plain ranking."""

    protocol: Protocol
    trials: tuple[TrialResult, ...]
    options: tuple[str, ...] = ()


def evaluate_protocols(
    protocols: Sequence[Protocol],
    embeddings: Float[np.ndarray, "n d"],
    metadata: Metadata,
    *,
    permutations: Permutations | None = None,
    first_trial: int = 0,
    reranking: KReciprocal | None = None,
    query_expansion: QueryExpansion | None = None,
    options: Sequence[str] = (),
    verification: bool = False,
    matrix_bytes: int = 2**29,
) -> list[ProtocolResult]:
    """Score the embeddings of a complete test split by protocols, by cosine.

    The protocols share the distances between images.

    Args:
        embeddings: one row for each image of the split, in the order of `metadata`.
        permutations: for the official SYSU-MM01 protocols.
        first_trial: added to the number of each trial in the results: RegDB's one draw carries
            the number of its split (1..10).
        options: names of what was done before (such as flip averaging), for the results.
        verification: verify all pairs of each trial, too; not after `reranking` or
            `query_expansion`, with which the score of a pair depends on the entire gallery.
        matrix_bytes: largest matrix of distances to keep for all trials.

    Raises:
        UserError: embeddings that cannot be ranked (with their images), missing images, or no
            valid query.
    """
    _check(embeddings, metadata)
    split = _Split(metadata, permutations)
    draws = {protocol.name: split.draws(protocol) for protocol in protocols}
    named = tuple(options) + tuple(str(o) for o in (query_expansion, reranking) if o is not None)
    if reranking is None and query_expansion is None:
        scores = _scores(embeddings, draws, matrix_bytes)
    else:
        scores = OwnDistances(embeddings, reranking, query_expansion)
    return [
        ProtocolResult(
            protocol,
            tuple(
                split.score(protocol, trial + first_trial, rows, scores, verification)
                for trial, rows in enumerate(draws[protocol.name])
            ),
            named,
        )
        for protocol in protocols
    ]


def _check(embeddings: Float[np.ndarray, "n d"], metadata: Metadata) -> None:
    if len(embeddings) != len(metadata.path):
        raise UserError(
            f"{len(embeddings)} embeddings for {len(metadata.path)} images", about="embeddings"
        )
    problems = embedding_problems(squared_norms(embeddings), "image", paths=metadata.path)
    if problems:
        raise UserError.listing("embeddings that cannot be ranked:", problems)


class _Split:
    """A test split; finds the directories of each selection once."""

    def __init__(self, metadata: Metadata, permutations: Permutations | None):
        self._metadata, self._permutations = metadata, permutations
        self._directories, self._hashes = {}, {}

    def draws(self, protocol: Protocol) -> list[Rows]:
        """Return the rows of each trial."""
        return [
            (self._rows(protocol.queries, trial), self._rows(protocol.gallery, trial))
            for trial in range(protocol.trials)
        ]

    def _rows(self, selection, trial):
        if selection not in self._directories:
            self._directories[selection] = directories(self._metadata, selection)
        return select(selection, self._directories[selection], trial, self._permutations)

    def score(
        self, protocol: Protocol, trial: int, rows: Rows, scores: TrialScores, verification: bool
    ) -> TrialResult:
        """Rank one trial, average, and verify its pairs where `verification` asks for it."""
        identity, camera = np.asarray(self._metadata.identity), np.asarray(self._metadata.camera)
        labels = [values[side] for values in (identity, camera) for side in rows]
        ranked = scores.rank(rows, labels, protocol.ignore, protocol.cmc)
        query_hash, gallery_hash = (self._hash(side) for side in rows)
        metrics = summarise(ranked)
        same, hidden = len(np.intersect1d(*rows)), None
        if protocol.ignore == SAME_PERSON_AND_CAMERA:  # a query never sees itself
            same, hidden = 0, hidden_images(*labels)
        notes = tuple(suspicions(metrics, labels[0], labels[1], same, hidden))
        verified = scores.verify(rows, labels, protocol.ignore) if verification else None
        return TrialResult(trial, metrics, gallery_hash, query_hash, notes, verified)

    def _hash(self, rows):
        key = rows.tobytes()
        if key not in self._hashes:
            self._hashes[key] = hash_paths(np.asarray(self._metadata.path)[rows])
        return self._hashes[key]


def _scores(
    embeddings: Float[np.ndarray, "n d"], draws: dict[str, list[Rows]], matrix_bytes: int
) -> TrialScores:
    """Return trials as parts of one matrix, where that fits and is less work."""
    trials = [rows for trials in draws.values() for rows in trials]
    queries, gallery = (_union([rows[side] for rows in trials], len(embeddings)) for side in (0, 1))
    drawn = sum(len(query_rows) * len(gallery_rows) for query_rows, gallery_rows in trials)
    size = len(queries) * len(gallery)
    if size * 4 > matrix_bytes or size > drawn:
        return OwnDistances(embeddings)
    return SharedDistances(embeddings, queries, gallery)


def _union(selections: list[np.ndarray], n: int) -> Int[np.ndarray, " rows"]:
    chosen = np.zeros(n, bool)
    for rows in selections:
        chosen[rows] = True
    return np.flatnonzero(chosen)
