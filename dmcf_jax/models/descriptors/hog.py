"""Histograms of oriented gradients (Dalal and Triggs, 2005), for people in boxes.

The settings are those of published visible-infrared baselines: 9 orientations, cells of 8 x 8
pixels, blocks of 2 x 2 cells, L2-Hys normalisation, square root of the grey levels. The values
are those of `skimage.feature.hog`.
"""

import os
from collections.abc import Iterable

import numpy as np
from jaxtyping import Float, Int, UInt8
from PIL import Image

SIZE = (128, 64)  # height and width that published results use
ORIENTATIONS = 9
CELL = 8
_EPS = 1e-5
_CLIP = 0.2
_IMAGES_AT_ONCE = 64


def hog(images: UInt8[np.ndarray, "n h w 3"]) -> Float[np.ndarray, "n d"]:
    """Return the descriptor of each image.

    Args:
        images: RGB, height and width at least two cells; pixels beyond the last whole cell count
            for nothing.

    Returns:
        float64; with r and c cells, d is (r - 1) (c - 1) 2 x 2 x 9: 3780 at 128 x 64.
    """
    parts = [
        _describe(luma(images[start : start + _IMAGES_AT_ONCE]))
        for start in range(0, len(images), _IMAGES_AT_ONCE)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, 0))


def describe_files(
    paths: Iterable[str | os.PathLike], size: tuple[int, int] = SIZE
) -> Float[np.ndarray, "n d"]:
    """Return the descriptors of image files, resized to `size` (height, width) first."""
    pictures = []
    for path in paths:
        with Image.open(path) as image:
            resized = image.convert("RGB").resize((size[1], size[0]), Image.Resampling.BILINEAR)
            pictures.append(np.asarray(resized))
    return hog(np.array(pictures, np.uint8).reshape(-1, *size, 3))


def luma(images: UInt8[np.ndarray, "n h w 3"]) -> UInt8[np.ndarray, "n h w"]:
    """Return grey levels as Pillow's mode L rounds them (ITU-R 601-2)."""
    red, green, blue = np.moveaxis(images.astype(np.uint32), -1, 0)
    return ((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16).astype(np.uint8)


def _describe(grey: UInt8[np.ndarray, "n h w"]) -> Float[np.ndarray, "n d"]:
    cells = _cell_histograms(*_gradients(np.sqrt(grey.astype(np.float64))))
    rows, columns = cells.shape[1] - 1, cells.shape[2] - 1
    blocks = np.stack(
        [np.stack([cells[:, i : i + rows, j : j + columns] for j in (0, 1)], 3) for i in (0, 1)],
        3,
    )  # n, block row, block column, cell row, cell column, orientation
    blocks = blocks.reshape(len(grey), rows, columns, -1)
    clipped = np.minimum(_normalised(blocks), _CLIP)
    return _normalised(clipped).reshape(len(grey), -1)


def _gradients(
    levels: Float[np.ndarray, "n h w"],
) -> tuple[Float[np.ndarray, "n h w"], Int[np.ndarray, "n h w"]]:
    """Return magnitude and bin of orientation; differences across the border are 0."""
    down, across = np.zeros_like(levels), np.zeros_like(levels)
    down[:, 1:-1] = levels[:, 2:] - levels[:, :-2]
    across[:, :, 1:-1] = levels[:, :, 2:] - levels[:, :, :-2]
    degrees = np.rad2deg(np.arctan2(down, across)) % 180
    bins = np.floor(degrees / (180 / ORIENTATIONS)).astype(np.int64)
    return np.hypot(down, across), np.minimum(bins, ORIENTATIONS - 1)


def _cell_histograms(
    magnitude: Float[np.ndarray, "n h w"], bins: Int[np.ndarray, "n h w"]
) -> Float[np.ndarray, "n r c 9"]:
    """Return the mean over each cell of the magnitudes in each bin."""
    n, rows, columns = len(magnitude), magnitude.shape[1] // CELL, magnitude.shape[2] // CELL
    whole = (slice(None), slice(rows * CELL), slice(columns * CELL))
    image, row, column = np.ogrid[:n, : rows * CELL, : columns * CELL]
    cell = (image * rows + row // CELL) * columns + column // CELL
    index = (cell * ORIENTATIONS + bins[whole]).ravel()
    sums = np.bincount(index, magnitude[whole].ravel(), n * rows * columns * ORIENTATIONS)
    return sums.reshape(n, rows, columns, ORIENTATIONS) / CELL**2


def _normalised(blocks: Float[np.ndarray, "n r c k"]) -> Float[np.ndarray, "n r c k"]:
    return blocks / np.sqrt(np.sum(blocks**2, -1, keepdims=True) + _EPS**2)
