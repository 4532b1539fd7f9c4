"""Convolution and max pooling with PyTorch's padding, in the form that the backend runs fastest.

This is the one place where a form is chosen. All forms give the same values up to the order of
float32 sums; `tests/models/test_convolution.py` holds them against each other.
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

# Input channels from which a convolution gains as a product on CPU, in its forward pass. On two
# cores [8, 9, 5, 512] takes 5.5 ms against 10.9, [8, 9, 5, 256] 7.6 against 4.3.
DEEP = 512

# Input channels from which, below DEEP, a 3x3 convolution at stride 1 gains by Winograd's products:
# [16, 36, 18, 64] takes 3.0 ms against 4.4, [16, 18, 9, 128] 3.0 against 4.0, [16, 9, 5, 256] 3.6
# against 4.5; the whole network lost 4 % by them at 512. With gradients, 8 rows take 5.9 ms against
# 8.7, 6.5 against 7.9, 8.2 against 7.9, and the whole step 0.91 of its time.
WINOGRAD = 64


def convolve(
    x: Float[Array, "n h w c"], kernel: Float[Array, "s s c o"], stride: int, form: str
) -> Float[Array, "n y x o"]:
    """Convolve `x` with a square odd `kernel`, padded by (s - 1) / 2 on each side as in PyTorch.

    Args:
        form: 'library' hands everything to XLA's convolution (right on GPU and TPU);
            'product' writes as matrix products what gains by it (right on CPU).
    """
    if form == "library":
        return _library(x, kernel, stride)
    if kernel.shape[0] == 1:
        # With gradients, [32, 24, 12, 96] to 48 channels: 4.0 ms against 11.2 on two cores.
        return pointwise(x[:, ::stride, ::stride], kernel[0, 0])
    if _gains_by_winograd(x, kernel, stride):
        return winograd(x, kernel)
    if kernel.shape[0] == 7 and stride == 2:
        return _stem(x, kernel)
    return _spatial(x, kernel, stride)


def _gains_by_winograd(x, kernel, stride):
    # In bfloat16 the sums of inputs would cost digits.
    suits = kernel.shape[0] == 3 and stride == 1 and x.dtype == jnp.float32
    return suits and WINOGRAD <= kernel.shape[2] < DEEP


def _library(x, kernel, stride):
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
    """Convolve by the faster form forwards and by products backwards.

    XLA's own gradients of convolutions are slow on CPU: at [8, 36, 18, 64] with a 3x3 kernel
    16.8 and 7.0 ms for kernel and input, as products 7.8 and 4.6; at [8, 5, 3, 512] 11.9 and
    14.6 against 5.8 and 4.5.
    """
    form = _patch_product if kernel.shape[2] >= DEEP else _library
    return form(x, kernel, stride)


def _spatial_forward(x, kernel, stride):
    return _spatial(x, kernel, stride), (x, kernel)


def _spatial_backward(stride, saved, cotangent):
    return jax.vjp(partial(_patch_product, stride=stride), *saved)[1](cotangent)


_spatial.defvjp(_spatial_forward, _spatial_backward)


@jax.custom_vjp
def _stem(x, kernel):
    """Convolve 7x7 at stride 2 by XLA's convolution, with gradients by four products.

    With gradients, [32, 96, 48, 3] to 16 channels takes 8.2 ms against 12.8 by its 49 shifts, and
    half of the compilation, which is a tenth of the demo's; [8, 144, 72, 3] to 64 channels 9.3
    against 8.6.
    """
    return _library(x, kernel, 2)


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


def max_pool_3x3(x: Float[Array, "n h w c"], form: str) -> Float[Array, "n y x c"]:
    """Return the 3x3 maximum at stride 2, padded by one, as in ResNet's stem."""
    if form == "product":
        return _half_maxima(_half_maxima(x, axis=1), axis=2)
    # A NumPy constant: with a traced one JAX does not see a maximum and has no gradient.
    low = np.array(-np.inf, x.dtype)
    padding = ((0, 0), (1, 1), (1, 1), (0, 0))
    return lax.reduce_window(x, low, lax.max, (1, 3, 3, 1), (1, 2, 2, 1), padding)


def _half_maxima(x, axis):
    """Maxima of three neighbours at stride 2 along one axis, out of pairs and their left sides.

    Only reshapes and shifts, so the gradient needs no scatter: 2.3 ms at [32, 48, 24, 24] for
    both axes against 6.9 as nine shifted maxima.
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
        form: see `convolve`.
    """

    features: int
    size: int
    stride: int = 1
    dtype: Any = jnp.float32
    form: str = "library"

    @nn.compact
    def __call__(self, x: Float[Array, "n h w c"]) -> Float[Array, "n y x o"]:
        """Return the convolution of `x` in `dtype`."""
        # Kaiming normal over the fan-out, as torchvision initialises its ResNets.
        initialise = nn.initializers.variance_scaling(2.0, "fan_out", "normal")
        shape = (self.size, self.size, x.shape[-1], self.features)
        kernel = self.param("kernel", initialise, shape, jnp.float32)
        return convolve(x.astype(self.dtype), kernel.astype(self.dtype), self.stride, self.form)
