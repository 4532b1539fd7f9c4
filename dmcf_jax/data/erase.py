"""Random erasing: one rectangle of an image is hidden (Zhong et al., AAAI 2020)."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from dmcf_jax.data.prepare_input import CHANNEL_MEAN

ASPECT = (0.3, 1 / 0.3)  # height over width
ATTEMPTS = 10  # rectangles drawn; the first that fits into the image is taken
# Random numbers of an image: whether it is changed, the grey level of the rectangle, and area,
# aspect, top and left of each attempt.
COLUMNS = 2 + 4 * ATTEMPTS
FILLS = ("mean", "grey")


def erase(
    images: Float[Array, "n h w 3"],
    draw: Float[Array, "n c"],
    probability: float,
    area: tuple[float, float],
    fill: str,
) -> Float[Array, "n h w 3"]:
    """Hide one random rectangle of some images.

    The original redraws a rectangle that does not fit up to 100 times, this one 10 times; an
    image for which none fits is left as it is.

    Args:
        images: on the scale 0..255.
        draw: uniform numbers in 0..1, `COLUMNS` for each image.
        probability: that an image gets a rectangle, 0..1.
        area: least and greatest share of the image.
        fill: 'mean', ImageNet's mean colour, which normalised images have as 0, or 'grey': one
            random grey level for each image.
    """
    height, width = images.shape[1:3]

    def box(row):
        return rectangle(row[2:].reshape(ATTEMPTS, 4), height, width, area)

    top, left, high, wide = (side[:, None, None] for side in jax.vmap(box)(draw).T)
    rows, columns = jnp.arange(height)[:, None], jnp.arange(width)
    inside = (rows >= top) & (rows < top + high) & (columns >= left) & (columns < left + wide)
    hidden = inside & (draw[:, 0] < probability)[:, None, None]
    mean = jnp.array(CHANNEL_MEAN, jnp.float32)
    colour = 255.0 * (mean if fill == "mean" else draw[:, 1, None, None, None])
    return jnp.where(hidden[..., None], colour, images)


def rectangle(
    draw: Float[Array, "a 4"], height: int, width: int, area: tuple[float, float]
) -> Int[Array, " 4"]:
    """Return top, left, height and width in pixels of the first rectangle that fits.

    Height and width are zero where none of them does.

    Args:
        draw: uniform numbers in 0..1, a row for each attempt: area, aspect, top, left.
        height, width: of the image, pixels.
        area: least and greatest share of the image.
    """
    share, aspect = (
        low + (high - low) * draw[:, i] for i, (low, high) in enumerate((area, ASPECT))
    )
    pixels = share * height * width
    high, wide = jnp.round(jnp.sqrt(pixels * aspect)), jnp.round(jnp.sqrt(pixels / aspect))
    fits = (high < height) & (wide < width)
    # Of H - h + 1 places each is equally likely, and so of the columns.
    top = jnp.floor(draw[:, 2] * (height - high + 1.0))
    left = jnp.floor(draw[:, 3] * (width - wide + 1.0))
    first = jnp.argmax(fits)
    box = jnp.stack([top, left, high, wide], axis=1)[first]
    return jnp.where(fits[first], box, 0.0).astype(jnp.int32)
