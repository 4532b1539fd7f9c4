"""MLAPG: a positive semidefinite metric by accelerated proximal gradient (Liao and Li, ICCV 2015).

The metric M of D(x, z) = (x - z)^T M (x - z) minimises the logistic loss of all pairs of a visible
and an infrared row (`pairs.py`), beginning with the Euclidean metric.
"""

import dataclasses
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from dmcf_jax.errors import UserError
from dmcf_jax.metrics.pairs import BLOCK, PairLoss, as_finite, identity_means, mean_distance

_FIRST_CURVATURE = 1 / 256
_SLACK = 1e-12  # relative rounding of the loss, which the line search must not mistake for a rise


@dataclasses.dataclass(frozen=True)
class Mlapg:
    """A fitted metric.

    Attributes:
        metric: M, symmetric and positive semidefinite.
        projection: P with M = P P^T: rows times P have Euclidean distances, squared, of D.
        losses: of the start and after each iteration.
        converged: False where the iterations ran out first.
    """

    metric: Float[np.ndarray, "d d"]
    projection: Float[np.ndarray, "d r"]
    losses: tuple[float, ...]
    converged: bool


@dataclasses.dataclass(frozen=True)
class Descent:
    """Where the accelerated descent stands.

    Attributes:
        metric, previous: M after the last two steps.
        acceleration: a of the last step, 0 before the first.
        curvature: L, the inverse of the step's length; it only grows.
    """

    metric: Float[np.ndarray, "d d"]
    previous: Float[np.ndarray, "d d"]
    acceleration: float = 0.0
    curvature: float = _FIRST_CURVATURE

    @classmethod
    def start(cls, size: int) -> "Descent":
        """Return the start, the Euclidean metric of rows of `size` values."""
        return cls(np.eye(size), np.eye(size))


def fit_mlapg(
    visible: Float[np.ndarray, "n d"],
    infrared: Float[np.ndarray, "m d"],
    visible_labels: Int[np.ndarray, " n"],
    infrared_labels: Int[np.ndarray, " m"],
    *,
    pairs: Literal["images", "means"] = "images",
    iterations: int = 300,
    tolerance: float = 1e-4,
    block: int = BLOCK,
) -> Mlapg:
    """Return the metric learned from all pairs of a visible and an infrared row.

    Args:
        visible, infrared: rows of training, usually after PCA.
        visible_labels, infrared_labels: identity of each row.
        pairs: "images" as published; "means" takes the mean row of each identity and modality,
            which is 1,700 times fewer pairs on SYSU-MM01.
        iterations: the most there are.
        tolerance: relative change of the loss at which it ends.
        block: rows of the side of a tile of pairs; 2048 take 0.3 GB.

    Raises:
        UserError: no pair of one person or of two; rows that are not finite; or the best metric is
            0.
    """
    visible, infrared = as_finite(visible), as_finite(infrared)
    if pairs == "means":
        visible, visible_labels = identity_means(visible, visible_labels)
        infrared, infrared_labels = identity_means(infrared, infrared_labels)
    loss = PairLoss(visible_labels, infrared_labels, mean_distance(visible, infrared), block)
    state = Descent.start(visible.shape[1])
    losses = [loss.value(visible, infrared, state.metric)]
    converged = False
    while not converged and len(losses) <= iterations:
        state, value = descend(state, loss, visible, infrared)
        converged = settled(losses[-1], value, tolerance)
        losses.append(value)
    return Mlapg(state.metric, factor(state.metric), tuple(losses), converged)


def descend(
    state: Descent,
    loss: PairLoss,
    visible: Float[np.ndarray, "n d"],
    infrared: Float[np.ndarray, "m d"],
) -> tuple[Descent, float]:
    """Return the state after one step, and the loss of its metric.

    The step starts beyond the last metric (Nesterov), goes down the gradient and is brought back
    to the positive semidefinite matrices; it is halved until a quadratic bounds the loss.
    """
    acceleration = (1 + np.sqrt(1 + 4 * state.acceleration**2)) / 2
    ahead = (state.acceleration - 1) / acceleration
    point = state.metric + ahead * (state.metric - state.previous)
    value, on_visible, on_infrared = loss.value_and_forces(visible, infrared, point)
    gradient = visible.T @ on_visible + infrared.T @ on_infrared
    curvature = state.curvature
    while True:
        metric = positive_part(point - gradient / curvature)
        change = metric - point
        bound = value + np.sum(change * gradient) + curvature / 2 * np.sum(change**2)
        reached = loss.value(visible, infrared, metric)
        if reached <= bound + _SLACK * abs(value):
            return Descent(metric, state.metric, float(acceleration), curvature), reached
        curvature *= 2


def settled(before: float, after: float, tolerance: float) -> bool:
    """Return whether the loss changed by no more than `tolerance` of itself."""
    return abs(before - after) <= tolerance * abs(before)


def positive_part(matrix: Float[np.ndarray, "d d"]) -> Float[np.ndarray, "d d"]:
    """Return the nearest symmetric positive semidefinite matrix."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    scaled = vectors * np.sqrt(values.clip(0))
    return scaled @ scaled.T


def factor(metric: Float[np.ndarray, "d d"]) -> Float[np.ndarray, "d r"]:
    """Return P with P P^T = metric, a column for each positive eigenvalue, the largest first.

    Raises:
        UserError: there is none, so that all rows would be one point.
    """
    values, vectors = np.linalg.eigh(metric)
    kept = values > max(values[-1], 0.0) * len(metric) * np.finfo(np.float64).eps
    if not kept.any():
        raise UserError(
            "the learned metric is 0: no direction of the features tells these people apart; "
            "use other features, or more images of each person",
            about="metric",
        )
    return (vectors[:, kept] * np.sqrt(values[kept]))[:, ::-1]
