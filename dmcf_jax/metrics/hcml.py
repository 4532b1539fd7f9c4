"""HCML: a linear map of each modality and one metric behind both (Ye et al., AAAI 2018).

Means of people are told apart across the modalities by D = |x V P - z T P|^2 with M = P P^T, while
the images of each person are pulled to their mean:

    F = sum of w log(1 + exp(s (D - mu))) over pairs of means
        + 0.2 (mean of log(1 + exp(|(x - x_id) V|^2)) over visible images + that of infrared, T).
"""

import dataclasses

import numpy as np
import scipy.special
from jaxtyping import Float, Int

from dmcf_jax.errors import UserError
from dmcf_jax.metrics.mlapg import Descent, descend, factor, settled
from dmcf_jax.metrics.pairs import PairLoss, as_finite, identity_means, mean_distance

INTRA = 0.2


@dataclasses.dataclass(frozen=True)
class Hcml:
    """Fitted maps: rows times a map have Euclidean distances.

    Attributes:
        visible, infrared: V P and T P.
        transforms: V and T.
        metric: M.
        losses: the first term of F, over the pairs of means, at the start and after each iteration.
        converged: False where the iterations ran out first.
    """

    visible: Float[np.ndarray, "d r"]
    infrared: Float[np.ndarray, "d r"]
    transforms: tuple[Float[np.ndarray, "d d"], Float[np.ndarray, "d d"]]
    metric: Float[np.ndarray, "d d"]
    losses: tuple[float, ...]
    converged: bool


@dataclasses.dataclass(frozen=True)
class Objective:
    """F of two transforms and a metric.

    Attributes:
        means: of people, visible [k d] and infrared [l d].
        deviations: of the images from the mean of their person and modality, [n d] and [m d].
        pairs: the loss of the pairs of means.
    """

    means: tuple[Float[np.ndarray, "k d"], Float[np.ndarray, "l d"]]
    deviations: tuple[Float[np.ndarray, "n d"], Float[np.ndarray, "m d"]]
    pairs: PairLoss

    def value(
        self,
        transforms: tuple[Float[np.ndarray, "d d"], Float[np.ndarray, "d d"]],
        metric: Float[np.ndarray, "d d"],
    ) -> float:
        """Return F."""
        intra = sum(map(_intra, self.deviations, transforms))
        return self.pairs.value(*self.mapped(transforms), metric) + INTRA * intra

    def gradients(
        self,
        transforms: tuple[Float[np.ndarray, "d d"], Float[np.ndarray, "d d"]],
        metric: Float[np.ndarray, "d d"],
    ) -> list[Float[np.ndarray, "d d"]]:
        """Return dF/dV and dF/dT.

        Deviation: the authors' code takes another matrix for the gradient of the pairs, which
        finite differences of F refute, and has V in the intra term of T; these are exact.
        """
        _, *forces = self.pairs.value_and_forces(*self.mapped(transforms), metric)
        cross = [2 * m.T @ force @ metric for m, force in zip(self.means, forces, strict=True)]
        intra = map(_intra_gradient, self.deviations, transforms)
        return [a + INTRA * b for a, b in zip(cross, intra, strict=True)]

    def mapped(
        self, transforms: tuple[Float[np.ndarray, "d d"], Float[np.ndarray, "d d"]]
    ) -> tuple[Float[np.ndarray, "k d"], Float[np.ndarray, "l d"]]:
        """Return the means times the transform of their modality."""
        return self.means[0] @ transforms[0], self.means[1] @ transforms[1]


def objective(
    visible: Float[np.ndarray, "n d"],
    infrared: Float[np.ndarray, "m d"],
    visible_labels: Int[np.ndarray, " n"],
    infrared_labels: Int[np.ndarray, " m"],
) -> Objective:
    """Return F for these images; its mu is the mean distance of the pairs of means.

    Raises:
        UserError: no pair of one person, or of two.
    """
    sides = ((visible, visible_labels), (infrared, infrared_labels))
    (x_means, x_people), (z_means, z_people) = (identity_means(*side) for side in sides)
    pairs = PairLoss(x_people, z_people, mean_distance(x_means, z_means))
    from_x = visible - x_means[np.searchsorted(x_people, visible_labels)]
    from_z = infrared - z_means[np.searchsorted(z_people, infrared_labels)]
    return Objective((x_means, z_means), (from_x, from_z), pairs)


def fit_hcml(
    visible: Float[np.ndarray, "n d"],
    infrared: Float[np.ndarray, "m d"],
    visible_labels: Int[np.ndarray, " n"],
    infrared_labels: Int[np.ndarray, " m"],
    *,
    iterations: int = 300,
    tolerance: float = 1e-6,
    rate: float = 0.1,
    decay: float = 0.95,
) -> Hcml:
    """Return the maps learned from these images, usually TONE's features after PCA.

    Each iteration takes one step of MLAPG for M and one of plain gradient descent for V and T.

    Args:
        visible, infrared: rows of training.
        visible_labels, infrared_labels: identity of each row.
        iterations: the most there are.
        tolerance: relative change of the first term of F at which it ends.
        rate: length of the first step of V and T; 0 leaves both the identity, which is MLAPG on
            means.
        decay: factor on the rate after each iteration.

    Raises:
        UserError: no pair of one person or of two; rows that are not finite; the metric is 0; or V
            and T grew without end.
    """
    rows = as_finite(visible), as_finite(infrared)
    target = objective(*rows, visible_labels, infrared_labels)
    size = rows[0].shape[1]
    state, transforms = Descent.start(size), (np.eye(size), np.eye(size))
    losses = [target.pairs.value(*target.mapped(transforms), state.metric)]
    converged = False
    while not converged and len(losses) <= iterations:
        state, _ = descend(state, target.pairs, *target.mapped(transforms))
        step = rate * decay ** (len(losses) - 1)
        slopes = target.gradients(transforms, state.metric)
        transforms = transforms[0] - step * slopes[0], transforms[1] - step * slopes[1]
        losses.append(_finite_loss(target, transforms, state.metric))
        converged = settled(losses[-2], losses[-1], tolerance)
    root = factor(state.metric)
    maps = transforms[0] @ root, transforms[1] @ root
    return Hcml(*maps, transforms, state.metric, tuple(losses), converged)


def _intra(deviations, transform):
    return float(np.mean(np.logaddexp(0.0, ((deviations @ transform) ** 2).sum(1))))


def _intra_gradient(deviations, transform):
    moved = deviations @ transform
    slopes = scipy.special.expit((moved**2).sum(1))
    return 2 / len(moved) * deviations.T @ (slopes[:, None] * moved)


def _finite_loss(target, transforms, metric):
    with np.errstate(over="ignore", invalid="ignore"):
        value = target.pairs.value(*target.mapped(transforms), metric)
    if not np.isfinite(value):
        raise UserError(
            "the maps of HCML grew without end: its steps suit features of length 1; "
            "normalise them, or lower `rate`",
            about="rate",
        )
    return value
