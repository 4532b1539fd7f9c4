"""Scores that cannot be right, said beside them: perfect ones, and those of chance.

For a random order of g gallery images, of which p are right, with H the g-th harmonic number, the
expected average precision is

    E[AP] = ((p - 1) / (g - 1) (g - H) + H) / g.
"""

from collections import Counter

import numpy as np
from jaxtyping import Float, Int

from dmcf_jax.evaluation.ranking.ranking import Metrics

NEAR_CHANCE = 1.05  # times chance


def chance_mAP(
    query_ids: Int[np.ndarray, " q"],
    gallery_ids: Int[np.ndarray, " g"],
    hidden: Int[np.ndarray, " q"] | None = None,
) -> float:
    """Return the expected mAP of a random order; queries without a right image are left out.

    Args:
        query_ids, gallery_ids: identities of both sides.
        hidden: how many right images each query does not see, see `hidden_images`.
    """
    number = Counter(gallery_ids.tolist())
    away = np.zeros(len(query_ids), int) if hidden is None else hidden
    right = np.array([number[person] for person in query_ids.tolist()], int) - away
    right, total = right[right > 0], (len(gallery_ids) - away)[right > 0]
    if not len(right):
        return 0.0
    harmonic = np.cumsum(1 / np.arange(1, len(gallery_ids) + 1))[total - 1]
    spread = (right - 1) / np.maximum(total - 1, 1) * (total - harmonic)
    return float(np.mean((spread + harmonic) / total))


def hidden_images(
    query_ids: Int[np.ndarray, " q"],
    gallery_ids: Int[np.ndarray, " g"],
    query_cameras: Int[np.ndarray, " q"],
    gallery_cameras: Int[np.ndarray, " g"],
) -> Int[np.ndarray, " q"]:
    """Return how many gallery images are of each query's own identity and camera."""
    number = Counter(zip(gallery_ids.tolist(), gallery_cameras.tolist(), strict=True))
    asked = zip(query_ids.tolist(), query_cameras.tolist(), strict=True)
    return np.array([number[labels] for labels in asked], int)


def suspicions(
    metrics: Metrics,
    query_ids: Int[np.ndarray, " q"],
    gallery_ids: Int[np.ndarray, " g"],
    same: int = 0,
    hidden: Int[np.ndarray, " q"] | None = None,
) -> list[str]:
    """Return a sentence for each reason to doubt a score.

    Args:
        metrics: the score.
        query_ids, gallery_ids: identities of both sides.
        same: queries that are in the gallery themselves.
        hidden: see `chance_mAP`.
    """
    found, chance = [], chance_mAP(query_ids, gallery_ids, hidden)
    if same:
        found.append(f"{same} of {metrics.queries} queries are in the gallery themselves")
    if metrics.rank(1) == 1 and metrics.mAP > 1 - 1e-9:
        found.append(
            "every answer is right (100 %): are the queries in the gallery, were these people "
            "trained on, or is the gallery of one person only?"
        )
    elif metrics.mAP <= NEAR_CHANCE * chance:
        found.append(
            f"mAP {100 * metrics.mAP:.2f} % is not above that of a random order, "
            f"{100 * chance:.2f} %: do the identities belong to these rows, and if distances were "
            "given, are they distances (smaller is nearer) and not similarities?"
        )
    return found


def rows_in_both(
    queries: Float[np.ndarray, "q d"],
    gallery: Float[np.ndarray, "g d"],
    query_ids: Int[np.ndarray, " q"] | None = None,
    gallery_ids: Int[np.ndarray, " g"] | None = None,
    query_cameras: Int[np.ndarray, " q"] | None = None,
    gallery_cameras: Int[np.ndarray, " g"] | None = None,
) -> int:
    """Return how many queries have exactly the numbers of some gallery row.

    With labels, rows of the query's own identity and camera do not count: it does not see them.
    """
    there: dict[bytes, set] = {}
    theirs = _labels(gallery_ids, gallery_cameras, len(gallery))
    for row, labels in zip(gallery, theirs, strict=True):
        there.setdefault(row.tobytes(), set()).add(labels)
    own = _labels(query_ids, query_cameras, len(queries))
    return sum(
        bool(there.get(row.tobytes(), set()) - ({labels} if query_ids is not None else set()))
        for row, labels in zip(queries, own, strict=True)
    )


def _labels(ids, cameras, n):
    return [()] * n if ids is None else list(zip(ids.tolist(), cameras.tolist(), strict=True))
