"""AlexNet as in torchvision, with explicit PyTorch-equal padding (Krizhevsky, 2014).

Its five convolutions have the names of a ResNet's stages, by which levels and shared stages are
chosen. What follows the first and the second one, a ReLU and a maximum, belongs to them.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import lax
from jaxtyping import Array, Float

from dmcf_jax.models.batch_norm import BatchNorm
from dmcf_jax.models.convolution import convolve
from dmcf_jax.models.resnet import STAGES

CHANNELS = (1, 3, 6, 4, 4)  # of each convolution, times the width
SIZES = (11, 5, 3, 3, 3)  # of their kernels
GRID = 6  # rows and columns of the map that the first linear layer sees


class BiasedConv(nn.Module):
    """Square convolution with a bias; parameters `kernel` [s s c o] and `bias` [o] in float32.

    A kernel of 11 has stride 4 and padding 2; smaller ones have stride 1 and keep the size.
    """

    features: int
    size: int
    dtype: Any = jnp.float32
    conv_impl: str = "xla"

    @nn.compact
    def __call__(self, x: Float[Array, "n h w c"]) -> Float[Array, "n y x o"]:
        """Return the convolution of `x` in `dtype`."""
        # Kaiming normal over the fan-out, as every convolution here starts.
        initialise = nn.initializers.variance_scaling(2.0, "fan_out", "normal")
        shape = (self.size, self.size, x.shape[-1], self.features)
        kernel = self.param("kernel", initialise, shape, jnp.float32).astype(self.dtype)
        bias = self.param("bias", nn.initializers.zeros, (self.features,)).astype(self.dtype)
        x = x.astype(self.dtype)
        first = self.size == SIZES[0]
        return (_first(x, kernel) if first else convolve(x, kernel, 1, self.conv_impl)) + bias


def _first(x, kernel):
    return lax.conv_general_dilated(
        x, kernel, (4, 4), ((2, 2), (2, 2)), dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


class AlexNet(nn.Module):
    """A run of consecutive convolutions of an AlexNet.

    Attributes:
        width: channels of the first convolution, 64 in torchvision.
        parts: consecutive names out of `STAGES`, what this module holds.
        fc6: whether the first linear layer, of 64 times `width` values, follows `layer4`.
        dtype: of the computation; parameters are float32.
        conv_impl: 'xla' or 'matmul', see `dmcf_jax.models.convolution`.
    """

    width: int = 64
    parts: tuple[str, ...] = STAGES
    fc6: bool = False
    dtype: Any = jnp.float32
    conv_impl: str = "xla"

    @nn.compact
    def __call__(self, x: Float[Array, "n h w c"], train: bool) -> dict[str, Array]:
        """Return the output of every part, NHWC, by name, and `fc6` [n 64 width] if it is there.

        Args:
            x: normalised images if the first part is the stem, else the part before's output.
            train: use batch statistics and update the running ones.
        """
        outputs = {}
        for part in self.parts:
            with jax.named_scope(part):
                x = outputs[part] = self._stage(part, x)
        if self.fc6 and "layer4" in outputs:
            outputs["fc6"] = self._linear(x, train)
        return outputs

    def _stage(self, part, x):
        index = STAGES.index(part)
        channels = CHANNELS[index] * self.width
        conv = BiasedConv(channels, SIZES[index], self.dtype, self.conv_impl, name=f"{part}_conv")
        x = nn.relu(conv(x))
        return max_pool(x) if part in ("stem", "layer1") else x

    def _linear(self, x, train):
        """Return the linear layer's output behind a batch norm without scale.

        BDTR has this norm; torchvision's layer has a ReLU, which is left to the head.
        """
        grid = average_grid(max_pool(x))
        # Values in PyTorch's order, channels first.
        flat = grid.transpose(0, 3, 1, 2).reshape(len(grid), -1)
        values = nn.Dense(
            64 * self.width, dtype=self.dtype, kernel_init=nn.initializers.he_normal(), name="fc6"
        )(flat)
        return BatchNorm(train, use_scale=False, name="fc6_bn")(values)


def max_pool(x: Float[Array, "n h w c"]) -> Float[Array, "n y x c"]:
    """Return the 3x3 maximum at stride 2, without padding."""
    # A NumPy constant: with a traced one JAX does not see a maximum and has no gradient.
    low = np.array(-np.inf, x.dtype)
    return lax.reduce_window(x, low, lax.max, (1, 3, 3, 1), (1, 2, 2, 1), "VALID")


def average_grid(x: Float[Array, "n h w c"], count: int = GRID) -> Float[Array, "n g g c"]:
    """Return the means over `count` x `count` bins, those of PyTorch's adaptive pooling."""
    rows, columns = (jnp.asarray(bins(size, count), x.dtype) for size in x.shape[1:3])
    mean = partial(jnp.einsum, precision=lax.Precision.HIGHEST)
    return mean("ah,bw,nhwc->nabc", rows, columns, x)


def bins(size: int, count: int) -> Float[np.ndarray, "g s"]:
    """Return the weights of `size` positions in each bin: from i s / g to (i + 1) s / g."""
    first = np.arange(count) * size // count
    end = -(-np.arange(1, count + 1) * size // count)
    place = np.arange(size)
    inside = (place >= first[:, None]) & (place < end[:, None])
    return inside / inside.sum(axis=1, keepdims=True)


def map_size(size: tuple[int, int], stage: str) -> tuple[int, int]:
    """Return height and width of a stage's output for images of `size`; below 1 there is none."""
    pools = min(STAGES.index(stage), 1) + 1
    sides = []
    for side in size:
        side = (side + 4 - SIZES[0]) // 4 + 1
        for _ in range(pools):
            side = (side - 3) // 2 + 1
        sides.append(side)
    return sides[0], sides[1]
