"""Augmentation inside the compiled step: pad, crop, flip, change colours, erase, normalise.

Images go in as uint8 [n h w 3], the size they are stored in, and come out as the network's input.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8

from dmcf_jax.data.colour import (
    adapted_grey,
    change_contrast,
    change_gamma,
    exchange_channels,
    invert,
    one_channel,
    random_grey,
)
from dmcf_jax.data.erase import COLUMNS, erase
from dmcf_jax.data.prepare_input import IMAGENET, InputForm, choose_channels, scale_values
from dmcf_jax.runtime.random_keys import folded

PAD_MODES = ("black", "edge")
VIEWS = ("one", "channels")  # of each visible image in a batch; 'channels' adds a second


class Augmentation(NamedTuple):
    """What may happen to a training image; 0 leaves a change out.

    Attributes:
        pad: pixels on each side before the crop, >= 0.
        pad_mode: 'black', or 'edge' to repeat the outermost pixels.
        flip: probability of a mirror image, 0..1.
        channel_exchange, random_grey: probabilities, of visible images only; see `data/colour.py`.
        tone, contrast: strengths, see `change_gamma` and `change_contrast`.
        invert: probability of a negative.
        erase, erase_area, erase_fill: see `data/erase.py`.
        views: 'one' of each visible image; or 'channels', CAJ's batch (Ye et al., ICCV 2021): a
            second one, cropped, mirrored and erased by itself, with one of its channels in all
            three, and infrared images with changed channels.
        form: of the network's input.
    """

    pad: int = 0
    pad_mode: str = "black"
    flip: float = 0.0
    channel_exchange: float = 0.0
    random_grey: float = 0.0
    tone: float = 0.0
    contrast: float = 0.0
    invert: float = 0.0
    erase: float = 0.0
    erase_area: tuple[float, float] = (0.02, 0.4)
    erase_fill: str = "mean"
    views: str = "one"
    form: InputForm = IMAGENET

    @property
    def changes_values(self) -> bool:
        """Whether anything is changed beside the place of pixels."""
        colours = self.channel_exchange, self.random_grey, self.tone, self.contrast
        return any((*colours, self.invert, self.erase))


def augmented_pair(
    key: Array,
    visible: UInt8[Array, "b h w 3"],
    infrared: UInt8[Array, "b h w 3"],
    settings: Augmentation,
) -> tuple[Float[Array, "v h w 3"], Float[Array, "b h w 3"]]:
    """Return the network's input of a batch of pairs.

    With two views of each visible image, v is 2b and the views of an image follow each other.

    Args:
        key: of this step.
    """
    visible_key, infrared_key = jax.random.split(key)
    first = augment(visible_key, visible, "visible", settings)
    other = augment(infrared_key, infrared, "infrared", settings)
    if settings.views == "one":
        return first, other
    second = augment(folded(key, "views"), visible, "visible", settings)
    draw = jax.random.uniform(folded(key, "channels"), (2, len(visible)), jnp.float32)
    second, other = one_channel(second, draw[0]), adapted_grey(other, draw[1])
    # [2b h w 3]: the views of an image side by side, so that no row leaves its device.
    return jnp.stack([first, second], axis=1).reshape(-1, *first.shape[1:]), other


def augment(
    key: Array, images: UInt8[Array, "n h w 3"], modality: str, settings: Augmentation
) -> Float[Array, "n h w 3"]:
    """Return the network's input of randomly changed images.

    Args:
        key: of this batch and modality; row i of each draw belongs to image i.
        modality: 'visible' or 'infrared', of all images.
    """
    images = crop_and_flip(key, images, settings)
    if settings.changes_values:
        images = _change_values(folded(key, "values"), images, modality, settings)
    else:
        images = choose_channels(images, settings.form)
    return scale_values(images, settings.form)


def crop_and_flip(
    key: Array, images: UInt8[Array, "n h w 3"], settings: Augmentation
) -> UInt8[Array, "n h w 3"]:
    """Pad, crop the old size at random, mirror some.

    Deviation: the paper's "resize to 256 x 256, then crop 288 x 144" is impossible; images are
    stored at the input size and padded instead, as its baseline does.
    """
    # One draw for the batch: each random call costs XLA half a second of compilation.
    draw = jax.random.uniform(key, (images.shape[0], 3), jnp.float32)
    corners = jnp.floor(draw[:, :2] * (2 * settings.pad + 1)).astype(jnp.int32)
    crop = jax.vmap(lambda image, corner: _pad_and_crop(image, corner, settings))
    images = crop(images, corners)
    mirrored = (draw[:, 2] < settings.flip)[:, None, None, None]
    return jnp.where(mirrored, images[:, :, ::-1], images)


def _pad_and_crop(image, corner, settings):
    mode = {"black": "constant", "edge": "edge"}[settings.pad_mode]
    padded = jnp.pad(image, (*[(settings.pad, settings.pad)] * 2, (0, 0)), mode)
    return jax.lax.dynamic_slice(padded, (*corner, jnp.int32(0)), image.shape)


def _change_values(key, images, modality, settings):
    """Change colours, choose the input's channels, then change tones and erase; 0..255.

    All numbers come from one draw, each change with its own columns: none has other numbers when
    another is switched on.
    """
    draw = jax.random.uniform(key, (len(images), 6 + COLUMNS), jnp.float32)
    images = images.astype(jnp.float32)
    if modality == "visible":  # infrared images are grey already
        images = _where_on(exchange_channels, images, draw[:, :2], settings.channel_exchange)
        images = _where_on(random_grey, images, draw[:, 2], settings.random_grey)
    images = choose_channels(images, settings.form)
    images = _where_on(change_gamma, images, draw[:, 3], settings.tone)
    images = _where_on(change_contrast, images, draw[:, 4], settings.contrast)
    images = _where_on(invert, images, draw[:, 5], settings.invert)
    extra = settings.erase_area, settings.erase_fill
    return _where_on(erase, images, draw[:, 6:], settings.erase, *extra)


def _where_on(change, images, draw, amount, *extra):
    """Apply a change of that probability or strength; 0 leaves it out of the program."""
    return change(images, draw, amount, *extra) if amount else images
