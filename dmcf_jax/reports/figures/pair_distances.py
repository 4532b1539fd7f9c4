"""Distances of all pairs of a split, counted: of one person or two, within modalities and across.

Pairs are counted in fixed bins block by block, so memory does not grow with the square of the
images, and no pair is left out.
"""

import dataclasses

import numpy as np
from jaxtyping import Float, Int

from dmcf_jax.modality import INFRARED, VISIBLE

BINS = 4000  # of 0.0005 each: what medians and AUC are exact to
FARTHEST = 2.0  # cosine distance of opposite directions
AT_ONCE = 256
GROUPS = {
    "within visible": (VISIBLE, VISIBLE),
    "within infrared": (INFRARED, INFRARED),
    "across modalities": (VISIBLE, INFRARED),
}


@dataclasses.dataclass(frozen=True)
class Counted:
    """Pairs by cosine distance, in equal bins over [0, 2]."""

    same: Int[np.ndarray, " bins"]
    different: Int[np.ndarray, " bins"]

    def coarser(self, bins: int) -> "Counted":
        """Return the same pairs in fewer bins, a divisor of their number."""
        return Counted(*(side.reshape(bins, -1).sum(1) for side in (self.same, self.different)))

    @property
    def auc(self) -> float:
        """How often a same-person pair is nearer than a different-person pair; ties count half.

        0.5 is chance, 1 two distributions that do not overlap; NaN where there is none of a kind.
        """
        same, different = self.same.astype(float), self.different.astype(float)
        pairs = same.sum() * different.sum()
        farther = different.sum() - np.cumsum(different)
        return float((same * (farther + different / 2)).sum() / pairs) if pairs else float("nan")


def median_of(counts: Int[np.ndarray, " bins"]) -> float:
    """Return the middle of the bin in which half of the pairs is reached; NaN without pairs."""
    if not counts.sum():
        return float("nan")
    place = int(np.searchsorted(np.cumsum(counts), counts.sum() / 2))
    return (place + 0.5) * FARTHEST / len(counts)


def count_pairs(
    embeddings: Float[np.ndarray, "n d"],
    identity: Int[np.ndarray, " n"],
    modality: Int[np.ndarray, " n"],
    bins: int = BINS,
) -> dict[str, Counted]:
    """Return the counted pairs of each group, every unordered pair of two images once.

    Args:
        embeddings: of unit length.
    """
    rows = [np.flatnonzero(modality == number) for number in (VISIBLE, INFRARED)]
    return {
        name: _count(embeddings, identity, rows[one], rows[other], bins)
        for name, (one, other) in GROUPS.items()
    }


def _count(embeddings, identity, one, other, bins):
    counts = np.zeros((2, bins), np.int64)
    twice = one is other  # within a modality each pair would come twice, and each image with itself
    for start in range(0, len(one), AT_ONCE):
        rows = one[start : start + AT_ONCE]
        columns = other[start:] if twice else other
        distances = 1 - embeddings[rows] @ embeddings[columns].T
        same = identity[rows][:, None] == identity[columns][None, :]
        taken = np.triu(np.ones(same.shape, bool), 1) if twice else np.ones(same.shape, bool)
        places = np.clip((distances * (bins / FARTHEST)).astype(np.int64), 0, bins - 1)
        for number, wanted in enumerate((taken & same, taken & ~same)):
            counts[number] += np.bincount(places[wanted], minlength=bins)
    return Counted(*counts)
