"""SILTP: scale invariant local ternary patterns (Liao et al., CVPR 2010).

A pixel's code says of each of four neighbours whether it is darker, brighter or about as bright;
multiplying an image by a number changes no code.
"""

import jax.numpy as jnp
from jaxtyping import Array, Int

CODES = 3**4
_TENTHS = 3  # tau of 0.3: brighter or darker by more than 3 tenths of the pixel
_NEIGHBOURS = ((0, 1), (-1, 0), (0, -1), (1, 0))  # right, up, left, down: digits 1, 3, 9, 27


def siltp(grey: Int[Array, "n h w"], radius: int) -> Int[Array, "n h w"]:
    """Return each pixel's code in 0..80.

    Digit 1 stands for a neighbour below (1 - tau) of the pixel, 2 for one above (1 + tau), 0 for
    one between; pixels beyond the border are those at it.

    Args:
        grey: levels of any unit, at most 1e8. Whole numbers, so that equality is exact: with
            rounding, 7 against 10 would be darker on one machine and not on another.
        radius: distance of the neighbours in pixels.
    """
    height, width = grey.shape[1:]
    wide = jnp.pad(grey, ((0, 0), (radius, radius), (radius, radius)), mode="edge")
    code = jnp.zeros_like(grey)
    for place, (down, right) in enumerate(_NEIGHBOURS):
        top, left = radius * (1 + down), radius * (1 + right)
        neighbour = 10 * wide[:, top : top + height, left : left + width]
        darker = (neighbour < (10 - _TENTHS) * grey).astype(grey.dtype)
        brighter = (neighbour > (10 + _TENTHS) * grey).astype(grey.dtype)
        code += 3**place * (darker + 2 * brighter)
    return code
