"""Batches and constants of the golden losses, which PyTorch's and dmcf_jax's losses both get.

NumPy only: `scripts/make_golden.py` imports it beside PyTorch, the test beside JAX.
"""

import numpy as np

WIDTH = 7  # of a row; odd, as GSM's outputs are
MARGIN, TONE_MARGIN = 1.8, 1.2
RANKING = (0.5, 1.3)  # BDTR's margins across and within the modalities
TEMPERATURE, SMOOTHING, SCALE, OFFSET = 0.5, 0.1, 9.0, -0.7
ONE_EACH, TWO_EACH, ONE_PERSON = (3, 0, 5, 1, 4, 2), (4, 4, 0, 0, 2, 2), (1,) * 6
# Name: (labels of the pairs, images of each person and modality, seed, people are ...)
CASES = {
    "one image, seed 0": (ONE_EACH, 1, 0, "mixed"),
    "one image, seed 1": (ONE_EACH, 1, 1, "mixed"),
    "two images, seed 0": (TWO_EACH, 2, 2, "mixed"),
    "two images, seed 1": (TWO_EACH, 2, 3, "mixed"),
    "one person": (ONE_PERSON, 2, 4, "mixed"),
    "no hinge active": (TWO_EACH, 2, 5, "apart"),
    "all hinges active": (TWO_EACH, 2, 6, "swapped"),
}


def batch(case):
    """Return float32 rows [2 6 7], visible and infrared, int32 labels [6] and the images of each.

    People are 'mixed' at random, each far from all others ('apart'), or that with the infrared
    rows of another person ('swapped'). No two distances of a row are equal.
    """
    labels, images, seed, kind = CASES[case]
    # RandomState, because its numbers are promised to stay the same in every NumPy.
    rows = np.random.RandomState(seed).standard_normal((2, len(labels), WIDTH))
    if kind != "mixed":
        rows = 0.2 * rows + 3.0 * np.eye(WIDTH)[list(labels)]
    if kind == "swapped":
        rows[1] = np.roll(rows[1], images, axis=0)
    return rows.astype(np.float32), np.array(labels, np.int32), images


def maps():
    """Return HCML's two maps [2 7 7] and a metric [7 7], float64."""
    draw = np.random.RandomState(7).standard_normal((3, WIDTH, WIDTH))
    return 0.5 * draw[:2], 0.1 * draw[2] @ draw[2].T


def of_several_people():
    """Return the cases with more than one person."""
    return [case for case in CASES if CASES[case][0] != ONE_PERSON]
