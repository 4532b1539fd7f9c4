"""Junk of Market-1501's protocol: images of nobody in the gallery, which no query sees."""

import numpy as np

JUNK = -1  # the identity of such images


def without_junk(
    arrays: dict[str, np.ndarray], matrix: np.ndarray | None
) -> tuple[dict[str, np.ndarray], np.ndarray | None, int]:
    """Return the arrays and distances without junk, and how many images were left out.

    Args:
        arrays: by name; those of the gallery begin with 'gallery_'.
        matrix: distances [q, g], or None.
    """
    ids = arrays.get("gallery_ids")
    sides = {name: array for name, array in arrays.items() if name.startswith("gallery_")}
    if (
        ids is None
        or ids.ndim != 1
        or any(array.shape[:1] != ids.shape for array in sides.values())
    ):
        return arrays, matrix, 0  # wrong in another way, which is reported
    kept = np.flatnonzero(ids != JUNK)
    left_out = len(ids) - len(kept)
    if left_out and matrix is not None and matrix.shape[1:] == ids.shape:
        matrix = matrix[:, kept]
    return arrays | {name: array[kept] for name, array in sides.items()}, matrix, left_out
