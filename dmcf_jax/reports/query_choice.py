"""Which queries figures and pages show: the best and the worst, of different people."""

import numpy as np
from jaxtyping import Int

from dmcf_jax.evaluation.nearest import Nearest


def best_and_worst(
    ranked: Nearest, identity: Int[np.ndarray, " n"], count: int
) -> tuple[list[int], list[int]]:
    """Return numbers of the best and of the worst queries by average precision.

    No person is shown twice: a person among the best is not among the worst, so that there may be
    fewer than `count` of each.

    Args:
        identity: of the images of the split.
        count: number of each at most.

    Returns:
        Best queries, best first, and worst queries, worst first.
    """
    order = np.argsort(-ranked.average_precision, kind="stable")
    people = identity[ranked.queries]
    count = max(min(count, len(np.unique(people)) // 2), 1)
    best = _one_each(order, people)[:count]
    others = order[~np.isin(people[order], people[best])]
    worst = _one_each(others[::-1], people)[:count]
    return best.tolist(), worst.tolist()


def _one_each(order: np.ndarray, people: np.ndarray) -> np.ndarray:
    """Return the first query of each person in `order`."""
    _, first = np.unique(people[order], return_index=True)
    return order[np.sort(first)]
