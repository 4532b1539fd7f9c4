"""Gradient reversal: what is in front learns against the loss behind (Ganin et al., JMLR 2016)."""

import functools

import jax
from jaxtyping import Array, Float


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def reverse_gradient(features: Float[Array, "..."], factor: float) -> Float[Array, "..."]:
    """Return the features; their gradient is multiplied by -`factor` on its way back.

    Args:
        features: of any shape.
        factor: 0.05 in cmGAN, whose discriminator tells the modalities apart.
    """
    return features


def _forward(features, factor):
    return features, None


def _backward(factor, _, gradient):
    return (-factor * gradient,)


reverse_gradient.defvjp(_forward, _backward)
