"""Noise for pictures, from one fixed bank: drawing it each time would cost a tenth of a picture."""

import functools
import math

import numpy as np
from jaxtyping import Float

_BANK = 1 << 17


@functools.cache
def _bank() -> Float[np.ndarray, " n"]:
    return np.random.default_rng(20200101).standard_normal(_BANK, dtype=np.float32)


def gaussian_noise(
    shape: tuple[int, ...], spread: float, draw: np.random.Generator
) -> Float[np.ndarray, "*shape"]:
    """Return noise of zero mean and this standard deviation, float32.

    Args:
        shape: of the result, fewer than 131072 values.
        spread: standard deviation.
        draw: chooses where in the bank it begins.
    """
    count = math.prod(shape)
    start = int(draw.integers(_BANK - count))
    return _bank()[start : start + count].reshape(shape) * np.float32(spread)
