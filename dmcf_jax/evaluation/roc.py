"""The receiver operating characteristic of counted pairs, exact at every rate that is asked for.

A pair is accepted where its score is at least a threshold. With N pairs of different people and P
of the same,

    FPR = FMR = accepted different / N,    TPR = 1 - FNMR = accepted same / P.

TPR at FPR f is the largest TPR of all thresholds whose FPR is at most f. The equal error rate is
where FPR = 1 - TPR on the straight line between the points of two neighbouring scores.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int64

from dmcf_jax.evaluation.ranking.pair_histogram import PairHistogram, scores_of
from dmcf_jax.evaluation.ranking.pair_kernels import HALF

DIFFERENT, SAME = 0, 1  # rows of counts
LARGEST_INT64 = 2**63 - 1


@dataclasses.dataclass(frozen=True)
class OperatingPoint:
    """A threshold, and the shares of pairs of different people and of the same that it accepts."""

    threshold: float
    fpr: float
    tpr: float


@dataclasses.dataclass(frozen=True)
class Roc:
    """Points of the curve.

    Attributes:
        same, different: how many pairs show one person, and two.
        points: by the FPR that was asked for; {} where `same` or `different` is 0.
        eer: equal error rate; None without points.
        eer_threshold: the highest score at which FPR >= 1 - TPR.
    """

    same: int
    different: int
    points: dict[float, OperatingPoint]
    eer: float | None = None
    eer_threshold: float | None = None


def allowed(rate: float, number: int) -> int:
    """Return the largest k with k / number <= rate, compared in float64."""
    k = int(rate * number)
    while k / number > rate:
        k -= 1
    while (k + 1) / number <= rate:
        k += 1
    return k


def roc(pairs: PairHistogram, high: Int64[np.ndarray, "2 keys"], rates: Sequence[float]) -> Roc:
    """Return the exact curve at `rates`, by one more pass over the pairs.

    Args:
        high: counts by high half, of `pairs`.
        rates: FPRs, each above 0 and below 1.
    """
    totals = high.sum(axis=1)
    different, same = totals.tolist()
    if not different or not same:
        return Roc(same, different, {})
    accepted = _from_the_top(high)
    limits = {rate: allowed(rate, different) for rate in rates}
    places = {rate: _last(accepted[DIFFERENT] > limit) for rate, limit in limits.items()}
    crossing = _last(_balance(accepted, totals) >= 0)
    chosen = sorted({crossing, *places.values()})
    low = pairs.by_low_half(chosen, len(rates) + 1)
    fine = {
        place: np.c_[_from_the_top(counts), [[0], [0]]]
        + (accepted[:, place] - high[:, place])[:, None]
        for place, counts in zip(chosen, low, strict=True)
    }
    points = {
        rate: _point(place, fine[place], limits[rate], totals) for rate, place in places.items()
    }
    return Roc(same, different, points, *_equal_error(crossing, fine[crossing], totals))


def _from_the_top(counts: np.ndarray) -> Int64[np.ndarray, "2 keys"]:
    """Return how many pairs have each key or a higher one."""
    return np.cumsum(counts[:, ::-1], axis=1)[:, ::-1]


def _last(where: Bool[np.ndarray, " keys"]) -> int:
    return int(np.flatnonzero(where)[-1])


def _balance(accepted: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """Return (FPR - FNMR) N P as integers, exact: it rises as the threshold falls."""
    n, p = totals.tolist()
    kind = np.int64 if 2 * n * p < LARGEST_INT64 else object  # Python's integers, unbounded
    return accepted[DIFFERENT].astype(kind) * p + accepted[SAME].astype(kind) * n - n * p


def _point(place: int, fine: np.ndarray, limit: int, totals: np.ndarray) -> OperatingPoint:
    """Return the point just above the highest score at which more than `limit` are accepted.

    Args:
        place: high half of that score.
        fine: pairs accepted at each low half, and above all of them.
    """
    above = _last(fine[DIFFERENT] > limit) + 1
    fpr, tpr = (fine[:, above] / totals).tolist()
    return OperatingPoint(_score(place * HALF + above), fpr, tpr)


def _equal_error(place: int, fine: np.ndarray, totals: np.ndarray) -> tuple[float, float]:
    """Return the equal error rate and its threshold; the arguments are those of `_point`."""
    balance = _balance(fine, totals)
    key = _last(balance >= 0)
    before, after = balance[key + 1], balance[key]
    share = -before / (after - before)
    upper, lower = fine[DIFFERENT, [key + 1, key]] / totals[DIFFERENT]
    return float(upper + share * (lower - upper)), _score(place * HALF + key)


def _score(key: int) -> float:
    return float(scores_of(np.array([key]))[0])
