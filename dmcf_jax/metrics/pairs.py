"""A loss of all pairs of a visible and an infrared row, in tiles, so that memory stays constant."""

import dataclasses

import numpy as np
import scipy.special
from jaxtyping import Float, Int

from dmcf_jax.errors import UserError

BLOCK = 2048  # rows of a tile's side: what is computed from a tile takes 0.3 GB


def count_pairs(
    visible_labels: Int[np.ndarray, " n"], infrared_labels: Int[np.ndarray, " m"]
) -> tuple[int, int]:
    """Return the numbers of pairs that show one person and that show two.

    Raises:
        UserError: one of them is 0: there is nothing to tell apart.
    """
    seen, counts = np.unique(infrared_labels, return_counts=True)
    place = np.searchsorted(seen, visible_labels).clip(0, max(len(seen) - 1, 0))
    own = int(counts[place][seen[place] == visible_labels].sum()) if len(seen) else 0
    other = len(visible_labels) * len(infrared_labels) - own
    if not own or not other:
        raise UserError(
            f"{own} pairs of a visible and an infrared image show one person and {other} show two: "
            "a metric needs both kinds; train on at least two people seen in both modalities",
            about="labels",
        )
    return own, other


def as_finite(rows: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    """Return rows as float64.

    Raises:
        UserError: some hold NaN or infinity, from which nothing can be learned.
    """
    rows = np.asarray(rows, np.float64)
    wrong = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(wrong):
        raise UserError(
            f"{len(wrong)} of {len(rows)} feature rows hold NaN or infinity, the first is row "
            f"{wrong[0]}: check the network or descriptor that they come from",
            about="features",
        )
    return rows


@dataclasses.dataclass(frozen=True)
class PairLoss:
    """The loss F = sum of w log(1 + exp(s (D - mu))) over all pairs (MLAPG, Liao and Li 2015).

    D = (x - z)^T M (x - z); s is 1 where both rows show one person and -1 elsewhere; w divides by
    the number of pairs of that kind.

    Attributes:
        visible_labels, infrared_labels: identity of each row.
        threshold: mu, in units of D.
        block: rows of a tile's side; results depend on it by rounding only.
    """

    visible_labels: Int[np.ndarray, " n"]
    infrared_labels: Int[np.ndarray, " m"]
    threshold: float
    block: int = BLOCK

    def __post_init__(self):
        """Refuse labels without both kinds of pairs."""
        count_pairs(self.visible_labels, self.infrared_labels)

    def value(
        self,
        visible: Float[np.ndarray, "n d"],
        infrared: Float[np.ndarray, "m d"],
        metric: Float[np.ndarray, "d d"],
    ) -> float:
        """Return F for a symmetric `metric` M, which need not be positive."""
        tiles = self._tiles(visible, infrared, metric)
        return sum(_weighted(tile.logits, tile.weights) for tile in tiles)

    def value_and_forces(
        self,
        visible: Float[np.ndarray, "n d"],
        infrared: Float[np.ndarray, "m d"],
        metric: Float[np.ndarray, "d d"],
    ) -> tuple[float, Float[np.ndarray, "n d"], Float[np.ndarray, "m d"]]:
        """Return F and how its pairs pull at the rows.

        With t = dF/dD of each pair, the force on x is the sum of t (x - z) over its pairs, and on
        z that of t (z - x). All gradients follow from them: dF/dx = 2 force M, and
        dF/dM = X^T forces + Z^T forces.
        """
        total = 0.0
        on_visible, on_infrared = np.zeros_like(visible), np.zeros_like(infrared)
        for tile in self._tiles(visible, infrared, metric):
            total += _weighted(tile.logits, tile.weights)
            slopes = tile.signs * tile.weights * scipy.special.expit(tile.logits)
            x, z = visible[tile.rows], infrared[tile.columns]
            on_visible[tile.rows] += slopes.sum(1)[:, None] * x - slopes @ z
            on_infrared[tile.columns] += slopes.sum(0)[:, None] * z - slopes.T @ x
        return total, on_visible, on_infrared

    def _tiles(self, visible, infrared, metric):
        own, other = count_pairs(self.visible_labels, self.infrared_labels)
        turned = visible @ metric
        squares = (turned * visible).sum(1), ((infrared @ metric) * infrared).sum(1)
        for start in range(0, len(visible), self.block):
            rows = slice(start, start + self.block)
            for left in range(0, len(infrared), self.block):
                columns = slice(left, left + self.block)
                products = turned[rows] @ infrared[columns].T
                distances = squares[0][rows, None] + squares[1][columns] - 2 * products
                same = self.visible_labels[rows, None] == self.infrared_labels[columns]
                signs = np.where(same, 1.0, -1.0)
                weights = np.where(same, 1 / own, 1 / other)
                yield _Tile(rows, columns, signs * (distances - self.threshold), signs, weights)


@dataclasses.dataclass(frozen=True)
class _Tile:
    rows: slice
    columns: slice
    logits: Float[np.ndarray, "r c"]
    signs: Float[np.ndarray, "r c"]
    weights: Float[np.ndarray, "r c"]


def _weighted(logits, weights):
    return float(np.sum(weights * np.logaddexp(0.0, logits)))


def mean_distance(visible: Float[np.ndarray, "n d"], infrared: Float[np.ndarray, "m d"]) -> float:
    """Return the mean squared Euclidean distance over all pairs of a visible and infrared row."""
    squares = (visible**2).sum() / len(visible) + (infrared**2).sum() / len(infrared)
    return float(squares - 2 * visible.mean(0) @ infrared.mean(0))


def identity_means(
    rows: Float[np.ndarray, "n d"], labels: Int[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, "k d"], Int[np.ndarray, " k"]]:
    """Return the mean row of each identity, and the identities in rising order."""
    identities, own = np.unique(labels, return_inverse=True)
    sums = np.zeros((len(identities), rows.shape[1]))
    np.add.at(sums, own, rows)
    return sums / np.bincount(own)[:, None], identities
