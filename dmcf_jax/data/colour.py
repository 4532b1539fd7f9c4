"""Random changes of colour and tone, so that no person can be recognised by them alone.

Pure functions of images, float32 [n h w 3] on the scale 0..255, and of uniform random numbers in
0..1, row i for image i. None of them is in the paper (docs/decisions.md).
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from dmcf_jax.data.prepare_input import luma


def exchange_channels(
    images: Float[Array, "n h w 3"], draw: Float[Array, "n 2"], probability: float
) -> Float[Array, "n h w 3"]:
    """Copy red, green or blue, one of them at random, to all three channels of some images.

    Ye et al., "Channel Augmented Joint Learning for Visible-Infrared Recognition", ICCV 2021.
    """
    channel = jnp.minimum(jnp.floor(3.0 * draw[:, 1]), 2.0).astype(jnp.int32)
    return _where(draw[:, 0] < probability, _copied(images, channel), images)


def one_channel(
    images: Float[Array, "n h w 3"], draw: Float[Array, " n"]
) -> Float[Array, "n h w 3"]:
    """Copy red, green or blue, each with probability 1/3, to all three channels of every image.

    The second view of visible images in CAJ (Ye et al., ICCV 2021), whose code does this after
    normalising and erasing.
    """
    return _copied(images, jnp.minimum(jnp.floor(3.0 * draw), 2.0).astype(jnp.int32))


def adapted_grey(
    images: Float[Array, "n h w 3"], draw: Float[Array, " n"]
) -> Float[Array, "n h w 3"]:
    """Change the channels of infrared images as CAJ's code does, after normalising and erasing.

    With probability 1/4 each, red, green or blue is copied to all three channels; of the last
    quarter one half becomes its luma, the other stays as it is.
    """
    eighth = jnp.minimum(jnp.floor(8.0 * draw), 7.0).astype(jnp.int32)
    copied = _copied(images, jnp.minimum(eighth // 2, 2))
    changed = _where(eighth == 6, luma(images), copied)
    return _where(eighth == 7, images, changed)


def random_grey(
    images: Float[Array, "n h w 3"], draw: Float[Array, " n"], probability: float
) -> Float[Array, "n h w 3"]:
    """Replace the colours of some images by their luma."""
    return _where(draw < probability, luma(images), images)


def change_gamma(
    images: Float[Array, "n h w 3"], draw: Float[Array, " n"], strength: float
) -> Float[Array, "n h w 3"]:
    """Raise each image, on the scale 0..1, to the power exp(strength * a normal number)."""
    # Not as a power: jaxlib 0.10.2 raises grey images to the powers of others on a CPU, see
    # docs/performance.md#compiler-options. 0 stays 0.
    return 255.0 * jnp.exp(_factor(draw, strength) * jnp.log(images / 255.0))


def change_contrast(
    images: Float[Array, "n h w 3"], draw: Float[Array, " n"], strength: float
) -> Float[Array, "n h w 3"]:
    """Stretch each image about its mean by exp(strength * a normal number); clip to 0..255."""
    mean = jnp.mean(images, axis=(1, 2, 3), keepdims=True)
    return jnp.clip(mean + _factor(draw, strength) * (images - mean), 0.0, 255.0)


def invert(
    images: Float[Array, "n h w 3"], draw: Float[Array, " n"], probability: float
) -> Float[Array, "n h w 3"]:
    """Turn some images into their negatives: black is hot in one camera and cold in another."""
    return _where(draw < probability, 255.0 - images, images)


def _copied(images, channel):
    """Return images with one of their channels, by image, in all three."""
    one = jnp.take_along_axis(images, channel[:, None, None, None], axis=3)
    return jnp.broadcast_to(one, images.shape)


def _factor(draw, strength):
    # The ends of 0..1 would be infinite normal numbers.
    normal = jax.scipy.special.ndtri(jnp.clip(draw, 1e-6, 1.0 - 1e-6))
    return jnp.exp(strength * normal)[:, None, None, None]


def _where(
    chosen: Bool[Array, " n"], changed: Float[Array, "n h w 3"], images: Float[Array, "n h w 3"]
) -> Float[Array, "n h w 3"]:
    return jnp.where(chosen[:, None, None, None], changed, images)
