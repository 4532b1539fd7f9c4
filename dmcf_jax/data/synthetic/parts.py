"""The parts that a made-up picture shows, and where its randomness comes from."""

import enum

import numpy as np


class Part(enum.IntEnum):
    """What a pixel of a figure shows; 0 is whatever is behind the person."""

    BACKGROUND = 0
    FACE = 1
    SKIN = 2
    HAIR = 3
    HAT = 4
    GLASSES = 5
    UPPER = 6
    PATTERN = 7
    FOLD = 8
    SEAM = 9
    INNER = 10
    SCARF = 11
    LOWER = 12
    LOWER_FOLD = 13
    SHOES = 14
    BAG = 15
    STRAP = 16
    OCCLUDER = 17


class Stream(enum.IntEnum):
    """First number of every seed, so that no two uses of randomness share a stream."""

    PERSON = 1
    MATERIALS = 2
    POSE = 3
    SCENE = 4
    CAMERA = 5
    TREE = 6
    SPLITS = 7


def numbered_generator(stream: Stream, *numbers: int) -> np.random.Generator:
    """Return the generator that belongs to `stream` and to these non-negative integers alone."""
    return np.random.default_rng([int(stream), len(numbers), *map(int, numbers)])
