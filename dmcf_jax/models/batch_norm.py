"""Batch norm over all rows, in a form whose gradient keeps nothing beside its input."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

EPSILON = 1e-5
MOMENTUM = 0.1  # of the new statistics, as PyTorch counts it


class BatchNorm(nn.Module):
    """PyTorch's batch norm: parameters `scale` and `bias`, statistics `mean` and `var` [c].

    The output is x * factor + shift. Flax's own writes (x - mean) * factor + bias, for which XLA
    keeps x - mean until the gradient: one more copy of every map and a slower training step
    (docs/performance.md#batch-norm).

    Statistics are float32 at least, whatever `dtype`. The running variance is the biased one,
    PyTorch's the unbiased: they differ by n / (n - 1) with n the number of values for a channel.

    Attributes:
        train: normalise by the batch and update the statistics, else by the statistics.
        dtype: of the output.
        use_bias: False leaves out the parameter `bias`, which then is 0.
        use_scale: False leaves out the parameter `scale`, which then is 1.
    """

    train: bool
    dtype: Any = jnp.float32
    use_bias: bool = True
    use_scale: bool = True

    @nn.compact
    def __call__(self, x: Float[Array, "*n c"]) -> Float[Array, "*n c"]:
        """Return `x` with mean 0 and variance 1 in each channel, times `scale` plus `bias`."""
        size = x.shape[-1]
        scale = self.param("scale", nn.initializers.ones, (size,)) if self.use_scale else 1.0
        bias = self.param("bias", nn.initializers.zeros, (size,)) if self.use_bias else 0.0
        running_mean = self.variable("batch_stats", "mean", jnp.zeros, (size,))
        running_var = self.variable("batch_stats", "var", jnp.ones, (size,))
        x = x if x.dtype == jnp.float64 else x.astype(jnp.float32)
        if self.train:
            mean, var = _moments(x)
            if not self.is_initializing():
                for running, new in ((running_mean, mean), (running_var, var)):
                    running.value = (1 - MOMENTUM) * running.value + MOMENTUM * new
        else:
            mean, var = running_mean.value, running_var.value
        factor = scale * jax.lax.rsqrt(var + EPSILON)
        return (x * factor + (bias - mean * factor)).astype(self.dtype)


def _moments(x):
    """Return mean and variance [c] in one pass over `x`."""
    axes = tuple(range(x.ndim - 1))
    mean = jnp.mean(x, axes)
    return mean, jnp.maximum(jnp.mean(x * x, axes) - mean * mean, 0.0)
