"""Histograms of oriented gradients (Dalal and Triggs, 2005), for people in boxes.

The settings are those of published visible-infrared baselines: 9 orientations, cells of 8 x 8
pixels, blocks of 2 x 2 cells, L2-Hys normalisation, square root of the grey levels. The values
are those of `skimage.feature.hog`.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Integer, UInt8

SIZE = (128, 64)  # height and width that published results use
ORIENTATIONS = 9
CELL = 8
_EPS = 1e-5
_CLIP = 0.2
_IMAGES_AT_ONCE = 256


def hog(images: UInt8[np.ndarray, "n h w 3"]) -> Float[np.ndarray, "n d"]:
    """Return the descriptor of each image of any number, float32, see `describe`."""
    parts = [
        _few(images[start : start + _IMAGES_AT_ONCE])
        for start in range(0, len(images), _IMAGES_AT_ONCE)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)


def _few(images):
    """Describe at most `_IMAGES_AT_ONCE` images, padded to a power of two: few compilations."""
    count = len(images)
    blank = np.zeros(((1 << (count - 1).bit_length()) - count, *images.shape[1:]), np.uint8)
    return np.asarray(jax.jit(describe)(np.concatenate([images, blank])))[:count]


def describe(images: Integer[Array | np.ndarray, "n h w 3"]) -> Float[Array, "n d"]:
    """Return the descriptor of each image, float32; a function to be jitted.

    Args:
        images: RGB, height and width at least two cells; pixels beyond the last whole cell count
            for nothing.

    Returns:
        With r and c cells, d is (r - 1) (c - 1) 2 x 2 x 9: 3780 at 128 x 64.
    """
    cells = _cell_histograms(*_gradients(jnp.sqrt(luma(images).astype(jnp.float32))))
    rows, columns = cells.shape[1] - 1, cells.shape[2] - 1
    blocks = jnp.stack(
        [jnp.stack([cells[:, i : i + rows, j : j + columns] for j in (0, 1)], 3) for i in (0, 1)],
        3,
    )  # n, block row, block column, cell row, cell column, orientation
    blocks = blocks.reshape(images.shape[0], rows, columns, -1)
    clipped = jnp.minimum(_normalised(blocks), _CLIP)
    return _normalised(clipped).reshape(images.shape[0], -1)


def luma(images: Integer[Array | np.ndarray, "n h w 3"]) -> UInt8[Array, "n h w"]:
    """Return grey levels as Pillow's mode L rounds them (ITU-R 601-2)."""
    red, green, blue = jnp.moveaxis(jnp.asarray(images).astype(jnp.uint32), -1, 0)
    return ((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16).astype(jnp.uint8)


def _gradients(
    levels: Float[Array, "n h w"],
) -> tuple[Float[Array, "n h w"], Int[Array, "n h w"]]:
    """Return magnitude and bin of orientation; differences across the border are 0."""
    down, across = jnp.zeros_like(levels), jnp.zeros_like(levels)
    down = down.at[:, 1:-1].set(levels[:, 2:] - levels[:, :-2])
    across = across.at[:, :, 1:-1].set(levels[:, :, 2:] - levels[:, :, :-2])
    degrees = jnp.rad2deg(jnp.arctan2(down, across)) % 180
    bins = jnp.floor(degrees / (180 / ORIENTATIONS)).astype(jnp.int32)
    return jnp.hypot(down, across), jnp.minimum(bins, ORIENTATIONS - 1)


def _cell_histograms(
    magnitude: Float[Array, "n h w"], bins: Int[Array, "n h w"]
) -> Float[Array, "n r c 9"]:
    """Return the mean over each cell of the magnitudes in each bin."""
    n, rows, columns = magnitude.shape[0], magnitude.shape[1] // CELL, magnitude.shape[2] // CELL
    complete = (slice(None), slice(rows * CELL), slice(columns * CELL))
    magnitude, bins = magnitude[complete], bins[complete]
    by_bin = [
        jnp.where(bins == k, magnitude, 0.0).reshape(n, rows, CELL, columns, CELL).sum((2, 4))
        for k in range(ORIENTATIONS)
    ]
    return jnp.stack(by_bin, axis=-1) / CELL**2


def _normalised(blocks: Float[Array, "n r c k"]) -> Float[Array, "n r c k"]:
    return blocks / jnp.sqrt(jnp.sum(blocks**2, -1, keepdims=True) + _EPS**2)
