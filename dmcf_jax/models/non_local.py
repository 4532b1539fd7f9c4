"""A block in which every position of a map sees all others (Wang et al., CVPR 2018; AGW)."""

from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from dmcf_jax.models.batch_norm import BatchNorm


class NonLocal(nn.Module):
    """z = x + BN(W y) with y_i = sum over positions j of (theta x_i . phi x_j) g x_j / N.

    The four maps are 1x1 convolutions with bias. In fresh networks of `variables_from_normals` the
    batch norm's scale is 0, so that the block starts as the identity and pretrained weights keep
    their meaning.

    Deviation: half of the channels inside, as in Wang et al. AGW's code divides its reduction ratio
    by itself, so that its blocks have a single channel inside.

    Attributes:
        dtype: of the computation.
    """

    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "n h w c"], train: bool) -> Float[Array, "n h w c"]:
        """Return the map with what each position takes from the others."""
        positions = x.reshape(x.shape[0], -1, x.shape[3])
        inner = max(1, x.shape[3] // 2)
        query, key, value = (self._map(inner, name)(positions) for name in ("theta", "phi", "g"))
        # Without a softmax the product is associative: einsum takes the cheaper order.
        mixed = jnp.einsum("nqc,nkc,nkd->nqd", query, key, value / positions.shape[1])
        added = BatchNorm(train, self.dtype, name="bn")(self._map(x.shape[3], "w")(mixed))
        return x + added.reshape(x.shape)

    def _map(self, channels, name):
        # PyTorch's own variance for a convolution, 1 / (3 fan-in).
        initialise = nn.initializers.variance_scaling(1 / 3, "fan_in", "normal")
        return nn.Dense(channels, dtype=self.dtype, kernel_init=initialise, name=name)
