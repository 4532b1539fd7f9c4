"""Open-set identification: is the person in the gallery at all, and if so, who is it.

A query is answered by its best match where the score of that reaches a threshold, and otherwise by
'nobody'. At a threshold,

    FAR = non-mated queries that are answered with anybody / non-mated queries,
    DIR = mated queries whose best match is right and reaches the threshold / mated queries.

A query is mated where the gallery has an image of its person that the protocol does not ignore.
DIR at FAR f is the largest DIR of all thresholds whose FAR is at most f. At equal scores the wrong
image comes first, as everywhere in this package.

Standard protocols have few non-mated queries or none. So every mated query is also asked with its
person taken out of the gallery, which makes it non-mated: the two sets of non-mated queries give
two results, never mixed.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from dmcf_jax.evaluation.roc import allowed


@dataclasses.dataclass(frozen=True)
class Identification:
    """DIR at FAR.

    Attributes:
        searches: how many non-mated queries were compared with at least one image.
        points: (threshold, DIR) by the FAR that was asked for; {} where there is no non-mated or
            no mated query.
    """

    searches: int
    points: dict[float, tuple[float, float]]


@dataclasses.dataclass(frozen=True)
class OpenSet:
    """Both results.

    Attributes:
        mated: queries whose person is in the gallery.
        non_mated_queries: against the queries whose person is not.
        person_removed: against the mated queries with their person taken out of the gallery.
    """

    mated: int
    non_mated_queries: Identification
    person_removed: Identification


def open_set(best: Float[np.ndarray, "q 2"], rates: Sequence[float]) -> OpenSet:
    """Return DIR at FAR of queries.

    Args:
        best: float32; each query's highest scores with another person and with its own, -infinity
            where there is no such image.
        rates: FARs, each above 0 and below 1.
    """
    other, own = best.T
    mated, compared = np.isfinite(own), np.isfinite(other)
    correct, number = np.sort(own[mated & (own > other)]), int(mated.sum())
    queries, removed = (
        _identify(correct, number, other[compared & chosen], rates) for chosen in (~mated, mated)
    )
    return OpenSet(number, queries, removed)


def _identify(
    correct: Float[np.ndarray, " c"],
    mated: int,
    alarms: Float[np.ndarray, " a"],
    rates: Sequence[float],
) -> Identification:
    """Return DIR at each FAR.

    Args:
        correct: ascending scores of the mated queries whose best match is right.
        mated: number of mated queries.
        alarms: best scores of the non-mated queries.
    """
    if not mated or not len(alarms):
        return Identification(len(alarms), {})
    alarms, points = np.sort(alarms)[::-1], {}
    for rate in rates:
        highest = alarms[allowed(rate, len(alarms))]  # the first that must not be answered
        threshold = float(np.nextafter(highest, np.float32(np.inf)))
        beyond = len(correct) - np.searchsorted(correct, highest, side="right")
        points[rate] = (threshold, float(beyond / mated))
    return Identification(len(alarms), points)
