"""From pixels to the network's input: one function for training, evaluation, search and export."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Real, UInt8

# Mean and standard deviation of ImageNet's channels on the scale 0..1, which every published
# ResNet-50 was trained with; used for infrared images too, as the whole field does.
CHANNEL_MEAN = (0.485, 0.456, 0.406)
CHANNEL_DEVIATION = (0.229, 0.224, 0.225)
# Weights of red, green and blue in the brightness of a pixel (ITU-R BT.601, as Pillow's 'L').
LUMA = (0.299, 0.587, 0.114)
CHANNELS = ("rgb", "grey")
LEAST_DEVIATION = 0.02  # on the scale 0..1


class InputForm(NamedTuple):
    """How pixels become the network's input.

    Attributes:
        channels: 'rgb' as they are, or 'grey': the luma in all three channels.
        standardise: give each image mean 0 and deviation 1, instead of ImageNet's normalisation.
    """

    channels: str = "rgb"
    standardise: bool = False


IMAGENET = InputForm()  # what every published ResNet takes


def prepare_input(
    images: Real[Array, "n h w 3"], form: InputForm = IMAGENET
) -> Float[Array, "n h w 3"]:
    """Return the network's float32 input of images whose pixels are on the scale 0..255."""
    return scale_values(choose_channels(images, form), form)


def choose_channels(images: Real[Array, "n h w 3"], form: InputForm) -> Real[Array, "n h w 3"]:
    """Return images in the channels of `form`, on the scale that they have."""
    return luma(images) if form.channels == "grey" else images


def scale_values(images: Real[Array, "n h w 3"], form: InputForm) -> Float[Array, "n h w 3"]:
    """Return images of the scale 0..255 on the scale of the network's input."""
    return standardise(images) if form.standardise else normalise(images)


def normalise(images: Real[Array, "n h w 3"]) -> Float[Array, "n h w 3"]:
    """Return float32 images with ImageNet's mean subtracted, divided by its deviation."""
    scale = 1.0 / (255.0 * jnp.array(CHANNEL_DEVIATION, jnp.float32))
    shift = jnp.array(CHANNEL_MEAN, jnp.float32) / jnp.array(CHANNEL_DEVIATION, jnp.float32)
    return images.astype(jnp.float32) * scale - shift


def raw_pixels(images: Float[Array, "n h w 3"]) -> UInt8[Array, "n h w 3"]:
    """Return the pixels that `normalise` was given, exactly, where they were whole numbers."""
    deviation = jnp.array(CHANNEL_DEVIATION, jnp.float32)
    shift = jnp.array(CHANNEL_MEAN, jnp.float32) / deviation
    return jnp.clip(jnp.round((images + shift) * 255.0 * deviation), 0, 255).astype(jnp.uint8)


def standardise(images: Real[Array, "n h w 3"]) -> Float[Array, "n h w 3"]:
    """Return float32 images of mean 0 and deviation 1, each over its pixels and channels.

    `LEAST_DEVIATION` is added to the deviation: a blank image becomes zeros, and the noise of a
    flat one is not blown up.
    """
    values = images.astype(jnp.float32) / 255.0
    centred = values - jnp.mean(values, axis=(1, 2, 3), keepdims=True)
    deviation = jnp.sqrt(jnp.mean(centred**2, axis=(1, 2, 3), keepdims=True))
    return centred / (deviation + LEAST_DEVIATION)


def luma(images: Real[Array, "... 3"]) -> Float[Array, "... 3"]:
    """Return the brightness of each pixel in all three channels, float32, not rounded."""
    grey = jnp.sum(images.astype(jnp.float32) * jnp.array(LUMA, jnp.float32), -1, keepdims=True)
    return jnp.broadcast_to(grey, images.shape)
