"""UNIT's losses against literal float64 loops and values by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dmcf_jax.methods.losses.translation import (
    Judged,
    Weights,
    latent_energy,
    least_squares,
    translation_losses,
)
from dmcf_jax.methods.network.translators import Translated

MODALITIES, CHANNELS = ("visible", "infrared"), {"visible": 3, "infrared": 1}
WEIGHTS = Weights(gan=1.5, reconstruction=10.0, cycle=7.0, latent=0.01)


def test_values_by_hand():
    scores = [jnp.array([[[[0.0], [2.0]]]]), jnp.array([[[[3.0]]]])]
    assert float(least_squares(scores, 1.0)) == 1.0 + 4.0
    assert float(least_squares(scores, 0.0)) == 2.0 + 9.0
    assert float(latent_energy(jnp.array([[[[1.0, -3.0]]]]))) == 5.0


def made_up():
    """Return what a network of two pairs might give, float64."""
    draw = np.random.default_rng(0)

    def images():
        return {name: draw.normal(size=(2, 4, 4, CHANNELS[name])) for name in MODALITIES}

    def latents():
        return {name: draw.normal(size=(2, 1, 1, 5)) for name in MODALITIES}

    def scores(rows):
        sizes = (2, 1, 1)
        return {n: tuple(draw.normal(size=(rows, s, s, 1)) for s in sizes) for n in MODALITIES}

    made = Translated(images(), latents(), images(), images(), latents(), images())
    return made, Judged(scores(4), scores(2))


def mean(values):
    flat = np.ravel(values)
    return sum(flat) / len(flat)


def literal(made, judged):
    found = dict.fromkeys(
        ("reconstruction", "cycle", "latent", "generator", "discriminator"), np.float64(0)
    )
    for name in MODALITIES:
        found["reconstruction"] += 10 * mean(abs(made.rebuilt[name] - made.real[name]))
        found["cycle"] += 7 * mean(abs(made.cycled[name] - made.real[name]))
        found["latent"] += 0.01 * mean(made.latent[name] ** 2)
        found["latent"] += 0.01 * mean(made.latent_again[name] ** 2)
        for pairs, fake in zip(judged.pairs[name], judged.fake[name], strict=True):
            found["generator"] += 1.5 * mean((fake - 1) ** 2)
            real, shown = [pairs[0], pairs[2]], [pairs[1], pairs[3]]
            found["discriminator"] += 1.5 * (
                mean((np.array(real) - 1) ** 2) + mean(np.square(shown))
            )
    return found


def test_all_losses_are_those_of_a_literal_loop():
    values = made_up()
    single = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), values)
    found = jax.jit(lambda made, judged: translation_losses(made, judged, WEIGHTS))(*single)
    expected = literal(*values)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert float(found[name]) == pytest.approx(value, rel=1e-5), name
