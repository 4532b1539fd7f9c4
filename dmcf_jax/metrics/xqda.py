"""XQDA: cross-view quadratic discriminant analysis (Liao et al., CVPR 2015).

Differences of pairs of one person and of two people are taken as two normal distributions with
mean 0; the distance is the logarithm of their ratio, in the subspace where they differ most.
"""

import dataclasses

import numpy as np
from jaxtyping import Float, Int

from dmcf_jax.metrics.pairs import as_finite, count_pairs

RIDGE = 1e-3


@dataclasses.dataclass(frozen=True)
class Xqda:
    """A fitted distance D(x, z) = (x - z)^T W M W^T (x - z), which may be negative.

    Attributes:
        projection: W.
        metric: M, symmetric but not positive.
    """

    projection: Float[np.ndarray, "d r"]
    metric: Float[np.ndarray, "r r"]

    def factors(self) -> tuple[Float[np.ndarray, "d r"], Float[np.ndarray, " r"]]:
        """Return a map and signs with D(x, z) = sum of signs ((x - z) map)^2.

        Of M's eigenvalues, the map has the roots of their sizes, which keeps the terms of both
        modalities as small as possible.
        """
        values, vectors = np.linalg.eigh(self.metric)
        return self.projection @ (vectors * np.sqrt(np.abs(values))), np.sign(values)


def fit_xqda(
    visible: Float[np.ndarray, "n d"],
    infrared: Float[np.ndarray, "m d"],
    visible_labels: Int[np.ndarray, " n"],
    infrared_labels: Int[np.ndarray, " m"],
    ridge: float = RIDGE,
) -> Xqda:
    """Return the distance learned from all pairs of a visible and an infrared row.

    W holds the left singular vectors of (S_I + ridge)^-1 S_E whose singular value is above 1, at
    least one; S_I and S_E are the covariances of differences within and between people. Rows that
    are longer than many are first written in an orthonormal basis of theirs: the result is equal.

    Args:
        visible, infrared: rows of training.
        visible_labels, infrared_labels: identity of each row.
        ridge: added to S_I's diagonal, in units of squared features.

    Raises:
        UserError: no pair of one person, or of two; or rows that are not finite.
    """
    visible, infrared = as_finite(visible), as_finite(infrared)
    rows = np.concatenate([visible, infrared])
    if rows.shape[1] > len(rows):
        basis, coordinates = np.linalg.qr(rows.T)
        x, z = np.split(coordinates.T, [len(visible)])
        fitted = fit_xqda(x, z, visible_labels, infrared_labels, ridge)
        return Xqda(basis @ fitted.projection, fitted.metric)
    within, between = difference_covariances(visible, infrared, visible_labels, infrared_labels)
    within += ridge * np.eye(len(within))
    vectors, values, _ = np.linalg.svd(np.linalg.solve(within, between))
    kept = vectors[:, : max(1, int(np.sum(values > 1)))]
    inverses = [np.linalg.inv(kept.T @ matrix @ kept) for matrix in (within, between)]
    metric = inverses[0] - inverses[1]
    return Xqda(kept, (metric + metric.T) / 2)


def difference_covariances(
    visible: Float[np.ndarray, "n d"],
    infrared: Float[np.ndarray, "m d"],
    visible_labels: Int[np.ndarray, " n"],
    infrared_labels: Int[np.ndarray, " m"],
) -> tuple[Float[np.ndarray, "d d"], Float[np.ndarray, "d d"]]:
    """Return the mean of (x - z)(x - z)^T over pairs of one person (S_I), and of two (S_E).

    Pairs are not formed: sums over each person and modality suffice.
    """
    own, other = count_pairs(visible_labels, infrared_labels)
    people = np.union1d(visible_labels, infrared_labels)
    of_visible = (visible_labels[:, None] == people).astype(np.float64)  # [n k]
    of_infrared = (infrared_labels[:, None] == people).astype(np.float64)
    partners = of_visible @ of_infrared.sum(0), of_infrared @ of_visible.sum(0)
    mixed = (of_visible.T @ visible).T @ (of_infrared.T @ infrared)
    squares = (visible.T * partners[0]) @ visible + (infrared.T * partners[1]) @ infrared
    within = squares - mixed - mixed.T
    all_mixed = np.outer(visible.sum(0), infrared.sum(0))
    every = len(infrared) * visible.T @ visible + len(visible) * infrared.T @ infrared
    return within / own, (every - all_mixed - all_mixed.T - within) / other
