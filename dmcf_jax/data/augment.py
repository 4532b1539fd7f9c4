"""Augmentation inside the compiled step: pad, random crop, flip, normalise.

Images go in as uint8 [n h w 3], the size they are stored in, and come out normalised.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, UInt8

# Mean and standard deviation of ImageNet's channels on the scale 0..1, which every published
# ResNet-50 was trained with; used for infrared images too, as is usual in the field.
CHANNEL_MEAN = (0.485, 0.456, 0.406)
CHANNEL_DEVIATION = (0.229, 0.224, 0.225)


def normalise(images: UInt8[Array, "n h w 3"]) -> Float[Array, "n h w 3"]:
    """Return float32 images with ImageNet's mean subtracted, divided by its deviation."""
    scale = 1.0 / (255.0 * jnp.array(CHANNEL_DEVIATION, jnp.float32))
    shift = jnp.array(CHANNEL_MEAN, jnp.float32) / jnp.array(CHANNEL_DEVIATION, jnp.float32)
    return images.astype(jnp.float32) * scale - shift


def augment(
    key: Array, images: UInt8[Array, "n h w 3"], pad: int, flip: float
) -> Float[Array, "n h w 3"]:
    """Pad with black, crop to the old size at random, mirror some, normalise.

    Deviation: the paper's "resize to 256 x 256, then crop 288 x 144" is impossible; images are
    stored at the input size and padded instead, as its baseline does.

    Args:
        key: of this batch and modality; row i of the draw belongs to image i.
        pad: pixels of black on each side before the crop, >= 0.
        flip: probability of a mirror image, 0..1.
    """
    # One draw for the whole batch, [n 3]: row, column, mirror. Each random call would be compiled
    # separately, which is slow.
    draws = jax.random.uniform(key, (images.shape[0], 3))
    corners = jnp.floor(draws[:, :2] * (2 * pad + 1)).astype(jnp.int32)
    crop = jax.vmap(lambda image, corner: _pad_and_crop(image, corner, pad))
    images = crop(images, corners)
    mirrored = (draws[:, 2] < flip)[:, None, None, None]
    return normalise(jnp.where(mirrored, images[:, :, ::-1], images))


def _pad_and_crop(
    image: UInt8[Array, "h w 3"], corner: Int[Array, " 2"], pad: int
) -> UInt8[Array, "h w 3"]:
    padded = jnp.pad(image, ((pad, pad), (pad, pad), (0, 0)))
    return jax.lax.dynamic_slice(padded, (corner[0], corner[1], 0), image.shape)
