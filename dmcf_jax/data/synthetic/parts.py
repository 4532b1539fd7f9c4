"""The parts that a synthetic picture shows, and where its random numbers come from."""

import enum

import numpy as np


class Part(enum.IntEnum):
    """What a pixel of a figure shows; 0 is whatever is behind the person."""

    BACKGROUND = 0
    FACE = 1
    SKIN = 2
    HAIR = 3
    HAT = 4
    BRIM = 5
    MASK = 6
    UPPER = 7
    SECOND = 8
    TRIM = 9
    PATTERN = 10
    FOLD = 11
    SEAM = 12
    INNER = 13
    SCARF = 14
    LOWER = 15
    LOWER_SECOND = 16
    LOWER_FOLD = 17
    SOCKS = 18
    SHOES = 19
    BAG = 20
    FLAP = 21
    STRAP = 22
    OCCLUDER = 23
    OTHER_OCCLUDER = 24


class Stream(enum.IntEnum):
    """First number of every seed, so that no two uses of random numbers share a stream."""

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
