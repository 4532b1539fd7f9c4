"""Histograms of the distances of all pairs of images: same or different person, by modalities.

Pairs are counted block by block in fixed bins, so that memory does not grow with the square of
the number of images and no pair is left out.
"""

import dataclasses

import numpy as np
from jaxtyping import Float, Int

from dmcf_jax.modality import INFRARED, VISIBLE

BINS = 4000  # each 0.0005 wide, which is the precision of medians and AUC
LARGEST = 2.0  # cosine distance of opposite directions
GROUPS = {
    "within visible": (VISIBLE, VISIBLE),
    "within infrared": (INFRARED, INFRARED),
    "across modalities": (VISIBLE, INFRARED),
}


@dataclasses.dataclass(frozen=True)
class PairCounts:
    """Number of pairs by cosine distance, in equal bins over [0, 2].

    Attributes:
        same: pairs of images of the same person.
        different: pairs of images of different people.
    """

    same: Int[np.ndarray, " bins"]
    different: Int[np.ndarray, " bins"]

    def coarser(self, bins: int) -> "PairCounts":
        """Return the same pairs in `bins` bins, a divisor of their current number."""
        return PairCounts(*(kind.reshape(bins, -1).sum(1) for kind in (self.same, self.different)))

    @property
    def auc(self) -> float:
        """Probability that a same-person pair is closer than a different-person pair.

        Ties count half. 0.5 is chance and 1 no overlap; NaN if there are no pairs of one kind.
        """
        same, different = self.same.astype(float), self.different.astype(float)
        pairs = same.sum() * different.sum()
        farther = different.sum() - np.cumsum(different)
        return float((same * (farther + different / 2)).sum() / pairs) if pairs else float("nan")


def median_of(counts: Int[np.ndarray, " bins"]) -> float:
    """Return the centre of the bin that holds the median pair; NaN without pairs."""
    if not counts.sum():
        return float("nan")
    number = int(np.searchsorted(np.cumsum(counts), counts.sum() / 2))
    return (number + 0.5) * LARGEST / len(counts)


def count_pairs(
    embeddings: Float[np.ndarray, "n d"],
    identity: Int[np.ndarray, " n"],
    modality: Int[np.ndarray, " n"],
    bins: int = BINS,
    block: int = 256,
) -> dict[str, PairCounts]:
    """Return the counts of each of `GROUPS`; every unordered pair of two images counts once.

    Args:
        embeddings: of unit length.
        identity, modality: of each row.
        block: rows of the distance matrix at a time.
    """
    rows = [np.flatnonzero(modality == number) for number in (VISIBLE, INFRARED)]
    return {
        name: _count(embeddings, identity, rows[first], rows[second], bins, block)
        for name, (first, second) in GROUPS.items()
    }


def _count(
    embeddings: np.ndarray,
    identity: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    bins: int,
    block: int,
) -> PairCounts:
    """Return the counts of the pairs of a row out of `first` and a row out of `second`."""
    counts = np.zeros((2, bins), np.int64)
    within = first is second  # one modality: count each pair once, and no image with itself
    for start in range(0, len(first), block):
        rows = first[start : start + block]
        columns = second[start:] if within else second
        distances = 1 - embeddings[rows] @ embeddings[columns].T  # [block columns]
        same = identity[rows][:, None] == identity[columns][None, :]
        counted = np.triu(np.ones(same.shape, bool), 1) if within else np.ones(same.shape, bool)
        numbers = np.clip((distances * (bins / LARGEST)).astype(np.int64), 0, bins - 1)
        for kind, chosen in enumerate((counted & same, counted & ~same)):
            counts[kind] += np.bincount(numbers[chosen], minlength=bins)
    return PairCounts(*counts)
