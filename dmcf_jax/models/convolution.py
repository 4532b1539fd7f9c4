"""Convolution and max pooling with PyTorch's padding, by the implementation that is fastest.

`conv_impl` is 'xla', XLA's own operations, for GPU and TPU, or 'matmul', which writes as matrix
products what is faster that way on CPU. Both give the same values up to the order of float32 sums;
`tests/models/test_convolution.py` compares them. Which one is faster where was measured:
docs/performance.md#convolutions.

`jax.lax.platform_dependent` would choose without an argument, but an exported program would hold
both versions of every convolution, and could be verified only for the platform it was exported on.
An ONNX file has no platform to choose by, and the tests compare both versions on one CPU.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import lax
from jaxtyping import Array, Float

from dmcf_jax.models.pointwise import pointwise
from dmcf_jax.models.winograd import winograd

# Input channels from which a convolution is faster as a matrix product on CPU (forward pass).
DEEP = 512

# Input channels from which, below DEEP, a 3x3 convolution at stride 1 is faster by Winograd's
# products on CPU, forwards and backwards.
WINOGRAD = 64


def convolve(
    x: Float[Array, "n h w c"], kernel: Float[Array, "s s c o"], stride: int, conv_impl: str
) -> Float[Array, "n y x o"]:
    """Convolve `x` with a square odd `kernel`, padded by (s - 1) / 2 on each side as in PyTorch.

    Args:
        conv_impl: 'xla' or 'matmul'.
    """
    if conv_impl == "xla":
        return _xla(x, kernel, stride)
    if kernel.shape[0] == 1:
        return pointwise(x[:, ::stride, ::stride], kernel[0, 0])
    if _gains_by_winograd(x, kernel, stride):
        return winograd(x, kernel)
    if kernel.shape[0] == 7 and stride == 2:
        return _stem(x, kernel)
    return _spatial(x, kernel, stride)


def _gains_by_winograd(x, kernel, stride):
    # Not in bfloat16: the sums of inputs would lose digits.
    suits = kernel.shape[0] == 3 and stride == 1 and x.dtype == jnp.float32
    return suits and WINOGRAD <= kernel.shape[2] < DEEP


def _xla(x, kernel, stride):
    pad = (kernel.shape[0] - 1) // 2
    return lax.conv_general_dilated(
        x,
        kernel,
        window_strides=(stride, stride),
        padding=((pad, pad), (pad, pad)),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _spatial(x, kernel, stride):
    """Convolve the faster way; the gradients are products: XLA's own are slow on CPU."""
    forward = _patch_product if kernel.shape[2] >= DEEP else _xla
    return forward(x, kernel, stride)


def _spatial_forward(x, kernel, stride):
    return _spatial(x, kernel, stride), (x, kernel)


def _spatial_backward(stride, saved, cotangent):
    return jax.vjp(partial(_patch_product, stride=stride), *saved)[1](cotangent)


_spatial.defvjp(_spatial_forward, _spatial_backward)


@jax.custom_vjp
def _stem(x, kernel):
    """Convolve 7x7 at stride 2 by XLA's convolution, with gradients by four products.

    Four products compile in half the time of 49 shifted ones and are about as fast.
    """
    return _xla(x, kernel, 2)


def _stem_backward(pull, cotangent):
    return pull(cotangent)


def _folded_product(x, kernel):
    """Convolve at stride 2 as if at stride 1, with pixels of 2 x 2 folded into channels.

    Each row of the folded kernel is one product with the neighbours along the columns.
    """
    size = kernel.shape[0]
    pad, taps = (size - 1) // 2, (size + 1) // 2
    height, width = (-(-n // 2) for n in x.shape[1:3])
    rows, columns = height + taps - 1, width + taps - 1
    below, right = 2 * rows - x.shape[1] - pad, 2 * columns - x.shape[2] - pad
    padded = jnp.pad(x, ((0, 0), (pad, below), (pad, right), (0, 0)))
    folded = padded.reshape(len(x), rows, 2, columns, 2, -1).transpose(0, 1, 3, 2, 4, 5)
    folded = folded.reshape(len(x), rows, columns, -1)
    neighbours = jnp.concatenate([folded[:, :, i : i + width] for i in range(taps)], axis=-1)
    kernel = jnp.pad(kernel, ((0, 1), (0, 1), (0, 0), (0, 0)))
    kernel = kernel.reshape(taps, 2, taps, 2, *kernel.shape[2:]).transpose(0, 2, 1, 3, 4, 5)
    kernel = kernel.reshape(taps, -1, kernel.shape[-1])
    return sum(pointwise(neighbours[:, i : i + height], kernel[i]) for i in range(taps))


_stem.defvjp(partial(jax.vjp, _folded_product), _stem_backward)


def _patch_product(x, kernel, stride):
    """Gather each output's patch along the channels, then one product (im2col)."""
    size = kernel.shape[0]
    pad = (size - 1) // 2
    height, width = (-(-n // stride) for n in x.shape[1:3])
    # Padded enough that every shift has `stride` times the output's size.
    padded = jnp.pad(x, ((0, 0), (pad, pad + stride), (pad, pad + stride), (0, 0)))
    patches = jnp.concatenate(
        [
            padded[:, dy : dy + stride * height : stride, dx : dx + stride * width : stride]
            for dy in range(size)
            for dx in range(size)
        ],
        axis=-1,
    )
    return pointwise(patches, kernel.reshape(-1, kernel.shape[-1]))


def max_pool_3x3(x: Float[Array, "n h w c"], conv_impl: str) -> Float[Array, "n y x c"]:
    """Return the 3x3 maximum at stride 2, padded by one, as in ResNet's stem."""
    if conv_impl == "matmul":
        return _half_maxima(_half_maxima(x, axis=1), axis=2)
    return _window_maxima(x, x.shape[1:3])


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def _window_maxima(x, size):
    """Take maxima by XLA's windows; with gradients, by nine shifted maps.

    XLA makes a scatter of its own gradient on a GPU, which adds in no fixed order
    (docs/performance.md#the-programs-for-gpu-and-tpu).
    """
    low = np.array(-np.inf, x.dtype)
    padding = ((0, 0), (1, 1), (1, 1), (0, 0))
    return lax.reduce_window(x, low, lax.max, (1, 3, 3, 1), (1, 2, 2, 1), padding)


def _window_forward(x, size):
    """Return the maxima, and which of the nine places of its window each is at first."""
    height, width = (-(-n // 2) for n in size)
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-np.inf)
    shifted = [
        padded[:, dy : dy + 2 * height - 1 : 2, dx : dx + 2 * width - 1 : 2]
        for dy in range(3)
        for dx in range(3)
    ]
    maxima, place = shifted[0], jnp.zeros(shifted[0].shape, jnp.int8)
    for number, values in enumerate(shifted[1:], 1):
        place = jnp.where(values > maxima, jnp.int8(number), place)
        maxima = jnp.maximum(maxima, values)
    return maxima, place


def _window_backward(size, place, cotangent):
    """Return the sum, in float32 at least, of what each place of the windows passes on."""
    wide = cotangent.dtype if cotangent.dtype.itemsize > 4 else jnp.dtype(jnp.float32)
    total = jnp.zeros((), wide)
    for number in range(9):
        passed = jnp.where(place == number, cotangent.astype(wide), jnp.zeros((), wide))
        # Window y begins at row 2 y - 1 of the map.
        edges = [
            (first, side - first - (2 * count - 1), 1)
            for first, side, count in zip(
                (number // 3 - 1, number % 3 - 1), size, place.shape[1:3], strict=True
            )
        ]
        total += lax.pad(passed, jnp.zeros((), wide), ((0, 0, 0), *edges, (0, 0, 0)))
    return (total.astype(cotangent.dtype),)


_window_maxima.defvjp(_window_forward, _window_backward)


def _half_maxima(x, axis):
    """Maxima of three neighbours at stride 2 along one axis, out of pairs and their left sides.

    Only reshapes and shifts, so the gradient needs no scatter, unlike nine shifted maxima.
    """
    low = jnp.finfo(x.dtype).min

    def pad(array, before, after):
        widths = [(before, after) if i == axis else (0, 0) for i in range(array.ndim)]
        return jnp.pad(array, widths, constant_values=low)

    x = pad(x, 0, x.shape[axis] % 2)
    pairs = x.reshape(*x.shape[:axis], -1, 2, *x.shape[axis + 1 :])
    even, odd = (lax.index_in_dim(pairs, i, axis + 1, keepdims=False) for i in (0, 1))
    left = pad(lax.slice_in_dim(odd, 0, odd.shape[axis] - 1, axis=axis), 1, 0)
    return jnp.maximum(jnp.maximum(left, even), odd)


class Conv(nn.Module):
    """Bias-free square convolution, parameter `kernel` [s s c o] in float32.

    Attributes:
        features: output channels o.
        size: kernel size s, odd.
        stride: step in both directions.
        dtype: of the computation.
        conv_impl: 'xla' or 'matmul'.
    """

    features: int
    size: int
    stride: int = 1
    dtype: Any = jnp.float32
    conv_impl: str = "xla"

    @nn.compact
    def __call__(self, x: Float[Array, "n h w c"]) -> Float[Array, "n y x o"]:
        """Return the convolution of `x` in `dtype`."""
        # Kaiming normal over the fan-out, as torchvision initialises its ResNets.
        initialise = nn.initializers.variance_scaling(2.0, "fan_out", "normal")
        shape = (self.size, self.size, x.shape[-1], self.features)
        kernel = self.param("kernel", initialise, shape, jnp.float32)
        return convolve(
            x.astype(self.dtype), kernel.astype(self.dtype), self.stride, self.conv_impl
        )
