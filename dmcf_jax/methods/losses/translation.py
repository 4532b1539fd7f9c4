"""Losses of translated images: those of UNIT (Liu et al., NeurIPS 2017)."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from dmcf_jax.methods.network.translators import Translated

Scores = dict[str, tuple[Array, ...]]  # [n y x 1] by modality and size of the image
REAL, FAKE = slice(0, None, 2), slice(1, None, 2)  # of interleaved rows


class Judged(NamedTuple):
    """Scores of discriminators.

    Attributes:
        pairs: of real images and translated ones, interleaved, of which these get no gradient.
        fake: of the translated images, by discriminators whose weights get no gradient.
    """

    pairs: Scores
    fake: Scores


class Weights(NamedTuple):
    """Factors of the losses; `latent` counts for images and for translated ones."""

    gan: float = 1.0
    reconstruction: float = 10.0
    cycle: float = 10.0
    latent: float = 0.01


def least_squares(scores: Sequence[Array], target: float) -> Float[Array, ""]:
    """Return the mean squared distance of scores from `target`, added up over sizes (LSGAN)."""
    return sum_of(jnp.mean((score - target) ** 2) for score in scores)


def sum_of(values: Iterable[Float[Array, ""]]) -> Float[Array, ""]:
    """Return the sum of scalars."""
    return jnp.sum(jnp.stack(list(values)))


def latent_energy(latents: Float[Array, "n y x d"]) -> Float[Array, ""]:
    """Return the mean square: up to factor and constant KL(N(latents, 1) || N(0, 1))."""
    return jnp.mean(latents.astype(jnp.float32) ** 2)


def translation_losses(
    made: Translated, judged: Judged, weights: Weights
) -> dict[str, Float[Array, ""]]:
    """Return the weighted losses by name, each added up over both modalities.

    `reconstruction` and `cycle` are mean absolute errors, `latent` the energy, `generator` and
    `discriminator` the two sides of the game: their gradients do not meet, so that one backward
    pass is a step of both.
    """

    def error(images):
        return sum_of(jnp.mean(jnp.abs(images[name] - real)) for name, real in made.real.items())

    def judged_as(scores, target, rows=slice(None)):
        return sum_of(least_squares([each[rows] for each in s], target) for s in scores.values())

    latents = [*made.latent.values(), *made.latent_again.values()]
    told_apart = judged_as(judged.pairs, 1.0, REAL) + judged_as(judged.pairs, 0.0, FAKE)
    return {
        "reconstruction": weights.reconstruction * error(made.rebuilt),
        "cycle": weights.cycle * error(made.cycled),
        "latent": weights.latent * sum_of(map(latent_energy, latents)),
        "generator": weights.gan * judged_as(judged.fake, 1.0),
        "discriminator": weights.gan * told_apart,
    }
