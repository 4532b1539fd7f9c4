"""Retinex: the brightness of a pixel relative to its surroundings, which the light changes less.

Deviation: LOMO's authors ship theirs as a closed binary. This is the multi-scale Retinex of public
reimplementations: two Gaussians, and a stretch between the 10 % and the 90 % quantile.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

SIGMAS = (5.0, 20.0)  # pixels
QUANTILES = (0.1, 0.9)


def retinex_gain(levels: Float[Array, "n h w 3"]) -> Float[Array, "n h w"]:
    """Return the factor on each pixel's colour, hue and saturation of which stay.

    With I the mean of a pixel's channels and G_s * I its mean under a Gaussian,
    r = mean over s of log(I + 1) - log(G_s * I + 1) is stretched so that the quantiles of an image
    become 0 and 255; the factor brings I there, unless a channel would be above 255.

    Args:
        levels: RGB in 0..255.

    Returns:
        0 or more; 1 in an image whose r is the same everywhere.
    """
    intensity = levels.mean(axis=-1)
    blurred = [_blur(intensity, sigma) for sigma in SIGMAS]
    relative = jnp.log1p(intensity) - sum(map(jnp.log1p, blurred)) / len(SIGMAS)
    low, high = jnp.quantile(relative, jnp.array(QUANTILES), axis=(1, 2), keepdims=True)
    even = high - low < 1e-6
    stretched = 255 * jnp.clip((relative - low) / jnp.where(even, 1.0, high - low), 0, 1)
    target = jnp.where(even, intensity, stretched)
    gain = target / jnp.maximum(intensity, 1e-6)
    return jnp.minimum(gain, 255 / jnp.maximum(levels.max(axis=-1), 1e-6))


def _blur(intensity: Float[Array, "n h w"], sigma: float) -> Float[Array, "n h w"]:
    """Return each pixel's mean under a Gaussian, of the pixels that there are."""
    down, across = (_weights(size, sigma) for size in intensity.shape[1:])
    exact = jax.lax.Precision.HIGHEST
    return jnp.einsum("ij,njk,lk->nil", down, intensity, across, precision=exact)


def _weights(size: int, sigma: float) -> Float[np.ndarray, "i i"]:
    places = np.arange(size)
    weights = np.exp(-((places[:, None] - places) ** 2) / (2 * sigma**2))
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)
