"""Pooling a stage's output to one vector: over the complete map or over one horizontal stripe."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from dmcf_jax.methods.network.levels import Feature

POOLS = ("max", "average", "gem")  # of any map; a backbone may have one of its own


def pool(
    maps: Float[Array, "n h w c"], feature: Feature, kind: str = "max", power: float = 3.0
) -> Float[Array, "n c"]:
    """Return each channel's value over the map (eq. 6) or a stripe (eq. 4-5), float32 at least.

    Stripe i of n of a map of h rows has the rows floor(i h / n) to ceil((i + 1) h / n), the bins
    of PyTorch's adaptive pooling: neighbours share a row where n does not divide h.

    Args:
        kind: 'max' (paper), 'average', or 'gem', the generalised mean of values above 0.
        power: of the generalised mean: 1 is the average, infinity the maximum.
    """
    if feature.stripe is not None:
        first, end = stripe_rows(maps.shape[1], feature.stripe, feature.stripes)
        maps = maps[:, first:end]
    values = maps.reshape(maps.shape[0], -1, maps.shape[-1])
    if kind == "max":
        return _wide(_maximum(values))
    values = _wide(values)
    return jnp.mean(values, axis=1) if kind == "average" else _generalised_mean(values, power)


def _wide(values):
    return values.astype(jnp.promote_types(values.dtype, jnp.float32))


def stripe_rows(height: int, stripe: int, stripes: int) -> tuple[int, int]:
    """Return the first row of a stripe and the row after its last."""
    return stripe * height // stripes, -(-(stripe + 1) * height // stripes)


def _generalised_mean(values, power):
    """Return (mean of x^p)^(1/p); values below 1e-6 count as that, where the root is smooth."""
    powers = jnp.maximum(values, 1e-6) ** jnp.asarray(power, values.dtype)
    return jnp.mean(powers, axis=1) ** jnp.asarray(1 / power, values.dtype)


@jax.custom_vjp
def _maximum(values):
    """Return the maximum over axis 1; its gradient goes to the first place that has it.

    The gradient of `jnp.max` tests `x == max`. Under jit XLA may recompute x with another
    rounding, so that no element matches and the gradient is lost (seen on CPU with jax 0.10.2;
    tests/methods/dmcf/test_golden.py). The position from `argmax` is exact.

    This body runs only without gradients, where pairwise maxima are faster than `argmax`.
    """
    while (count := values.shape[1]) > 1:
        half = -(-count // 2)
        values = jnp.maximum(values[:, :half], values[:, count - half :])
    return values[:, 0]


def _maximum_forward(values):
    place = jnp.argmax(values, axis=1, keepdims=True)
    return jnp.take_along_axis(values, place, axis=1)[:, 0], (place, values.shape[1])


def _maximum_backward(saved, cotangent):
    place, count = saved
    here = jnp.arange(count, dtype=place.dtype)[:, None] == place
    return (jnp.where(here, cotangent[:, None], jnp.zeros((), cotangent.dtype)),)


_maximum.defvjp(_maximum_forward, _maximum_backward)
