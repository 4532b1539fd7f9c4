"""Metadata with the sizes of SYSU-MM01's test split, for measuring without the data."""

import dataclasses

import numpy as np

from dmcf_jax.data.datasets.sysu_mm01 import IMAGES, INFRARED_CAMERAS
from dmcf_jax.evaluation.permutations import TRIALS, Permutations
from dmcf_jax.modality import INFRARED, VISIBLE

# Identities in cameras 1 to 6 of the test split, as published.
IDENTITIES = (56, 56, 93, 94, 95, 96)


@dataclasses.dataclass(frozen=True)
class SysuLike:
    """Identity, camera, modality and path of each image `[n]`, in order of path."""

    identity: np.ndarray
    camera: np.ndarray
    modality: np.ndarray
    path: np.ndarray


def sysu_like() -> SysuLike:
    """Return a split in which each camera's images are spread evenly over its identities."""
    rows, sizes = [], zip(IDENTITIES, IMAGES["test"], strict=True)
    for camera, (identities, images) in enumerate(sizes, start=1):
        modality = INFRARED if camera in INFRARED_CAMERAS else VISIBLE
        counts = images // identities + (np.arange(identities) < images % identities)
        for identity, count in enumerate(counts, start=1):
            for number in range(1, count + 1):
                path = f"cam{camera}/{identity:04d}/{number:04d}.jpg"
                rows.append((identity, camera, modality, path))
    return SysuLike(*(np.array(column) for column in zip(*rows, strict=True)))


def random_permutations(split: SysuLike) -> Permutations:
    """Return permutations of the split's images in place of the official ones."""
    generator = np.random.default_rng(0)
    directories, counts = np.unique(
        np.stack([split.camera, split.identity], axis=1), axis=0, return_counts=True
    )
    tables = {
        (int(camera), int(identity)): np.stack(
            [generator.permutation(count) + 1 for _ in range(TRIALS)]
        )
        for (camera, identity), count in zip(directories, counts, strict=True)
    }
    return Permutations("random permutations", tables)
