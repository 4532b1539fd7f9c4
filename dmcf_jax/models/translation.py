"""Networks that encode, make and judge images: those of UNIT (Liu et al., NeurIPS 2017).

Layers, norms and borders are those of its authors' code. Sides of images are multiples of 4.
"""

import math
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jax import lax
from jaxtyping import Array, Float

EPSILON = 1e-5
SCALES, LAYERS = 3, 4  # of a discriminator
_BORDER: Any = ((1, 1), (1, 1))  # flax takes it, and declares only text


def mirror_conv(
    x: Float[Array, "n h w c"], features: int, size: int, stride: int, dtype: Any, name: str
) -> Float[Array, "n y x o"]:
    """Convolve with a bias, the borders mirrored by (size - 1) // 2; for compact modules."""
    x = mirrored(mirrored(x, (size - 1) // 2, axis=1), (size - 1) // 2, axis=2)
    initialise = nn.initializers.variance_scaling(2.0, "fan_in", "normal")
    layer = nn.Conv(
        features, (size, size), stride, "VALID", dtype=dtype, kernel_init=initialise, name=name
    )
    return layer(x)


def mirrored(x: Float[Array, "n h w c"], pad: int, axis: int) -> Float[Array, "n y x c"]:
    """Return maps with `pad` rows more on both sides of an axis, mirrored at the outermost row.

    As slices of one row each: `jnp.pad` gives the same and compiles more slowly.
    """
    end = x.shape[axis] - 1
    row = lambda at: lax.slice_in_dim(x, at, at + 1, axis=axis)  # noqa: E731
    before = [row(at) for at in range(pad, 0, -1)]
    return jnp.concatenate([*before, x, *(row(end - at) for at in range(1, pad + 1))], axis)


def instance_norm(x: Float[Array, "n h w c"]) -> Float[Array, "n h w c"]:
    """Return each channel of each image with mean 0 and variance 1."""
    values = x.astype(jnp.float32)
    centred = values - jnp.mean(values, axis=(1, 2), keepdims=True)
    variance = jnp.mean(centred**2, axis=(1, 2), keepdims=True)
    return (centred * lax.rsqrt(variance + EPSILON)).astype(x.dtype)


class SampleNorm(nn.Module):
    """Each image with mean 0 and deviation 1 over all of it, then a scale and bias a channel."""

    @nn.compact
    def __call__(self, x: Float[Array, "n h w c"]) -> Float[Array, "n h w c"]:
        """Return the normalised maps."""
        scale = self.param("scale", nn.initializers.ones, (x.shape[-1],))
        bias = self.param("bias", nn.initializers.zeros, (x.shape[-1],))
        values = x.astype(jnp.float32)
        centred = values - jnp.mean(values, axis=(1, 2, 3), keepdims=True)
        count = math.prod(x.shape[1:])
        variance = jnp.sum(centred**2, axis=(1, 2, 3), keepdims=True) / (count - 1)
        # The authors divide by deviation + EPSILON, whose gradient is infinite for a flat map.
        return (scale * centred * lax.rsqrt(variance + EPSILON**2) + bias).astype(x.dtype)


class Block(nn.Module):
    """A residual block of two 3x3 convolutions."""

    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "n h w c"]) -> Float[Array, "n h w c"]:
        """Return the map plus what the convolutions add."""
        y = mirror_conv(x, x.shape[-1], 3, 1, self.dtype, "conv1")
        y = mirror_conv(nn.relu(instance_norm(y)), x.shape[-1], 3, 1, self.dtype, "conv2")
        return x + instance_norm(y)


class Encoder(nn.Module):
    """Images to latent maps of a quarter of their size.

    Attributes:
        width: channels of the first layer; latent maps have four times as many.
        blocks: residual blocks.
        dtype: of the computation.
    """

    width: int
    blocks: int
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, images: Float[Array, "n h w c"]) -> Float[Array, "n y x d"]:
        """Return the latent maps."""
        x = images
        for name, factor, size, stride in (
            ("first", 1, 7, 1),
            ("down1", 2, 4, 2),
            ("down2", 4, 4, 2),
        ):
            x = mirror_conv(x, factor * self.width, size, stride, self.dtype, name)
            x = nn.relu(instance_norm(x))
        for number in range(self.blocks):
            x = Block(self.dtype, name=f"block{number}")(x)
        return x


class Generator(nn.Module):
    """Latent maps to images of four times their size.

    Attributes:
        channels: of the images.
        width, blocks, dtype: see `Encoder`.
    """

    channels: int
    width: int
    blocks: int
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, latents: Float[Array, "n y x d"]) -> Float[Array, "n h w c"]:
        """Return float32 images with values from -1 to 1."""
        x = latents
        for number in range(self.blocks):
            x = Block(self.dtype, name=f"block{number}")(x)
        for number, factor in ((1, 2), (2, 1)):
            x = x.repeat(2, axis=1).repeat(2, axis=2)
            x = mirror_conv(x, factor * self.width, 5, 1, self.dtype, f"up{number}")
            x = nn.relu(SampleNorm(name=f"norm{number}")(x))
        x = mirror_conv(x, self.channels, 7, 1, self.dtype, "last")
        return jnp.tanh(x.astype(jnp.float32))


class Discriminator(nn.Module):
    """Scores of patches at three sizes of an image, each half of the one before.

    Attributes:
        width: channels of the first layer at each size.
        dtype: of the computation.
    """

    width: int
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, images: Float[Array, "n h w c"]) -> tuple[Float[Array, "n _ _ 1"], ...]:
        """Return float32 scores by size; 1 is what a real image should have, 0 a made one."""
        scores = []
        for scale in range(SCALES):
            x = images
            for layer in range(min(LAYERS, int(math.log2(min(x.shape[1:3]))))):
                features, name = self.width * 2**layer, f"scale{scale}_conv{layer}"
                x = nn.leaky_relu(mirror_conv(x, features, 4, 2, self.dtype, name), 0.2)
            x = mirror_conv(x, 1, 1, 1, self.dtype, f"scale{scale}_score")
            scores.append(x.astype(jnp.float32))
            images = nn.avg_pool(images, (3, 3), (2, 2), _BORDER, count_include_pad=False)
        return tuple(scores)
