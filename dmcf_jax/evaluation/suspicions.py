"""Scores that cannot be right, said beside them: perfect ones, and those of chance.

For a random order of g gallery images, of which p are right, with H the g-th harmonic number, the
expected average precision is

    E[AP] = ((p - 1) / (g - 1) (g - H) + H) / g.
"""

import numpy as np
from jaxtyping import Float, Int

from dmcf_jax.evaluation.ranking.ranking import Metrics

NEAR_CHANCE = 1.05  # times chance


def chance_mAP(query_ids: Int[np.ndarray, " q"], gallery_ids: Int[np.ndarray, " g"]) -> float:
    """Return the expected mAP of a random order; queries without a right image are left out."""
    names, counts = np.unique(gallery_ids, return_counts=True)
    known = query_ids[np.isin(query_ids, names)]
    if not len(known):
        return 0.0
    right, total = counts[np.searchsorted(names, known)], len(gallery_ids)
    harmonic = float(np.sum(1 / np.arange(1, total + 1)))
    spread = (right - 1) / max(total - 1, 1) * (total - harmonic)
    return float(np.mean((spread + harmonic) / total))


def suspicions(
    metrics: Metrics,
    query_ids: Int[np.ndarray, " q"],
    gallery_ids: Int[np.ndarray, " g"],
    same: int = 0,
) -> list[str]:
    """Return a sentence for each reason to doubt a score.

    Args:
        metrics: the score.
        query_ids, gallery_ids: identities of both sides.
        same: queries that are in the gallery themselves.
    """
    found, chance = [], chance_mAP(query_ids, gallery_ids)
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


def rows_in_both(queries: Float[np.ndarray, "q d"], gallery: Float[np.ndarray, "g d"]) -> int:
    """Return how many queries have exactly the numbers of some gallery row."""
    there = {row.tobytes() for row in np.ascontiguousarray(gallery)}
    return sum(row.tobytes() in there for row in np.ascontiguousarray(queries))
