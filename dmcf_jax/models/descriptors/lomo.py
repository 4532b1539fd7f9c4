"""LOMO: local maximal occurrence of colours and textures (Liao et al., CVPR 2015).

Windows of 10 x 10 pixels, 5 apart, each have a histogram of colours (8 x 8 x 8 bins of hue,
saturation and value) and two of textures (SILTP with radii 3 and 5). Of the windows in one row the
maximum of each bin is kept, which makes the descriptor indifferent to where across the image a
colour is. Three scales, each half the size of the one before.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int, UInt8

from dmcf_jax.errors import UserError
from dmcf_jax.models.descriptors.retinex import retinex_gain
from dmcf_jax.models.descriptors.siltp import CODES, siltp

SIZE = (128, 48)  # height and width that the authors chose the settings for
SCALES = 3
WINDOW = 10
STEP = 5
BINS = 8
RADII = (3, 5)
_LUMA = (2989, 5870, 1140)  # of ten thousand


def lomo(
    images: UInt8[Array, "n h w 3"] | Float[Array, "n h w 3"], retinex: bool = True
) -> Float[Array, "n d"]:
    """Return the descriptor of each image.

    The parts for colours, for SILTP 3 and for SILTP 5 have length 1 each. In a part, scales follow
    each other, then rows of windows from the top down, then bins. Scales on which no window fits
    count for nothing, and so do those too narrow for a radius.

    Args:
        images: RGB levels in 0..255; those of float type are rounded to whole levels.
        retinex: whether brightness is that of Retinex in the histograms of colours.

    Returns:
        float32; d is 26,960 at 128 x 48.

    Raises:
        UserError: no window fits into the images.
    """
    if min(images.shape[1:3]) < WINDOW:
        height, width = images.shape[1:3]
        raise UserError(
            f"images of {height} x {width} have no window of {WINDOW} x {WINDOW}: LOMO needs "
            f"larger ones, {SIZE[0]} x {SIZE[1]} as published",
            about="images",
        )
    levels = jnp.round(jnp.asarray(images, jnp.float32)).astype(jnp.int32)
    gain = retinex_gain(levels.astype(jnp.float32)) if retinex else None
    bins = jnp.stack(hsv_bins(levels, gain), axis=-1)
    grey = jnp.sum(levels * jnp.array(_LUMA), axis=-1)
    parts = [_colours(bins), *(_textures(grey, radius) for radius in RADII)]
    return jnp.concatenate([_normalised(jnp.log1p(part)) for part in parts], axis=1)


def hsv_bins(
    levels: Int[Array, "n h w 3"], gain: Float[Array, "n h w"] | None = None
) -> tuple[Int[Array, "n h w"], Int[Array, "n h w"], Int[Array, "n h w"]]:
    """Return the bins in 0..7 of hue, saturation and value, floor(8 x) with 8 counted as 7.

    Hue and saturation are computed in whole numbers, so that no rounding moves a bin. A grey pixel
    has hue 0, a black one saturation 0.

    Args:
        levels: RGB in 0..255.
        gain: factor on the brightness of each pixel, from Retinex; by default 1.
    """
    red, green, blue = jnp.moveaxis(levels, -1, 0)
    value, least = levels.max(axis=-1), levels.min(axis=-1)
    range_ = value - least
    sixth = jnp.where(  # six times the hue, times the range
        red == value,
        green - blue,
        jnp.where(green == value, 2 * range_ + blue - red, 4 * range_ + red - green),
    )
    sixth = jnp.where(sixth < 0, sixth + 6 * range_, sixth)
    hue = BINS * sixth // jnp.maximum(6 * range_, 1)
    saturation = BINS * range_ // jnp.maximum(value, 1)
    if gain is None:
        bright = BINS * value // 255
    else:
        bright = jnp.floor(BINS * gain * value.astype(gain.dtype) / 255).astype(value.dtype)
    return _capped(hue), _capped(saturation), _capped(bright)


def _capped(bins):
    return jnp.minimum(bins, BINS - 1)


def _colours(bins: Int[Array, "n h w 3"]) -> Float[Array, "n d"]:
    """Return the histograms of all scales; a smaller scale takes the mean of bins, rounded down."""
    parts = []
    for _ in range(SCALES):
        hue, saturation, value = jnp.moveaxis(bins, -1, 0)
        code = (value * BINS + saturation) * BINS + hue
        parts += _row_maxima(code, BINS**3)
        bins = jnp.stack([_quarter(plane) // 4 for plane in jnp.moveaxis(bins, -1, 0)], axis=-1)
    return jnp.concatenate(parts, axis=1)


def _textures(grey: Int[Array, "n h w"], radius: int) -> Float[Array, "n d"]:
    """Return the histograms of all scales; sums serve as means, since SILTP has no unit."""
    parts = [jnp.zeros((grey.shape[0], 0))]
    for _ in range(SCALES):
        if grey.shape[2] >= 2 * radius + 1:
            parts += _row_maxima(siltp(grey, radius), CODES)
        grey = _quarter(grey)
    return jnp.concatenate(parts, axis=1)


def _quarter(plane: Int[Array, "n h w"]) -> Int[Array, "n i j"]:
    """Return sums of 2 x 2 pixels, without an odd last row or column."""
    n, height, width = plane.shape
    whole = plane[:, : height // 2 * 2, : width // 2 * 2]
    return whole.reshape(n, height // 2, 2, width // 2, 2).sum(axis=(2, 4))


def _row_maxima(code: Int[Array, "n h w"], count: int) -> list[Float[Array, "n d"]]:
    """Return the largest count of each code over the windows of a row; nothing if none fits.

    A window is 2 x 2 cells of 5 x 5 pixels: histograms of cells are counted and added.
    """
    n, rows, columns = code.shape[0], code.shape[1] // STEP, code.shape[2] // STEP
    if min(rows, columns) < WINDOW // STEP:
        return []
    image, row, column = jnp.ogrid[:n, : rows * STEP, : columns * STEP]
    cells = jnp.zeros((n, rows, columns, count))
    place = (image, row // STEP, column // STEP, code[:, : rows * STEP, : columns * STEP])
    cells = cells.at[place].add(1.0)
    tall = cells[:, :-1] + cells[:, 1:]
    windows = tall[:, :, :-1] + tall[:, :, 1:]
    return [windows.max(axis=2).reshape(n, -1)]


def _normalised(part: Float[Array, "n d"]) -> Float[Array, "n d"]:
    return part / jnp.maximum(jnp.linalg.norm(part, axis=1, keepdims=True), 1e-12)
