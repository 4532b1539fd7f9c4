"""Losses of centres against literal loops, value and gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.finite_differences import slopes

from dmcf_jax.methods.losses.hetero_centre import centres, hetero_centre, hetero_centre_triplet

PEOPLE, IMAGES, MARGIN = 4, 3, 0.3
LABELS = np.repeat([6, 1, 9, 3], IMAGES)


def literal_centres(rows):
    return [sum(rows[p * IMAGES + k] for k in range(IMAGES)) / IMAGES for p in range(PEOPLE)]


def literal_triplet(visible, infrared):
    points = literal_centres(visible) + literal_centres(infrared)
    hinges = []
    for i, point in enumerate(points):
        distances = [np.sqrt(((point - other) ** 2).sum()) for other in points]
        own = [d for j, d in enumerate(distances) if j % PEOPLE == i % PEOPLE]
        other = [d for j, d in enumerate(distances) if j % PEOPLE != i % PEOPLE]
        hinges.append(max(0.0, MARGIN + max(own) - min(other)))
    return np.mean(hinges)


def literal_centre(visible, infrared):
    pairs = zip(literal_centres(visible), literal_centres(infrared), strict=True)
    return sum(((one - other) ** 2).sum() for one, other in pairs)


def triplet(visible, infrared):
    return hetero_centre_triplet(visible, infrared, jnp.asarray(LABELS), IMAGES, MARGIN)


def centre(visible, infrared):
    return hetero_centre(visible, infrared, IMAGES)


BOTH = pytest.mark.parametrize(
    ("loss", "literal"), [(triplet, literal_triplet), (centre, literal_centre)]
)


@BOTH
def test_value_and_gradient_equal_a_literal_loop(loss, literal):
    visible, infrared = np.random.default_rng(0).normal(size=(2, PEOPLE * IMAGES, 4))
    sides = [jnp.asarray(side, jnp.float32) for side in (visible, infrared)]
    value, gradients = jax.jit(jax.value_and_grad(loss, (0, 1)))(*sides)
    assert float(value) == pytest.approx(literal(visible, infrared), rel=1e-5)
    expected = (
        slopes(lambda v: literal(v, infrared), visible),
        slopes(lambda t: literal(visible, t), infrared),
    )
    for one, other in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


@BOTH
def test_moving_images_about_their_centre_changes_nothing(loss, literal):
    draw = np.random.default_rng(1)
    visible, infrared = draw.normal(size=(2, PEOPLE * IMAGES, 4))
    noise = draw.normal(size=(PEOPLE, IMAGES, 4))
    noise -= noise.mean(1, keepdims=True)
    moved = visible + noise.reshape(visible.shape)
    values = [
        float(jax.jit(loss)(jnp.asarray(v, jnp.float32), jnp.asarray(infrared, jnp.float32)))
        for v in (visible, moved)
    ]
    assert values[0] == pytest.approx(values[1], rel=1e-4)


def test_centres_of_people_and_finite_gradients_at_equal_rows():
    rows = jnp.arange(12.0).reshape(6, 2)
    np.testing.assert_allclose(centres(rows, 3), [[2, 3], [8, 9]])
    gradient = jax.jit(jax.grad(lambda v: triplet(v, v) + centre(v, v)))(
        jnp.ones((PEOPLE * IMAGES, 3))
    )
    assert np.isfinite(gradient).all()
