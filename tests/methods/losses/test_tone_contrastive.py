"""TONE's contrastive loss against literal loops, value and gradient, and its pairs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.finite_differences import slopes

from dmcf_jax.methods.losses.tone_contrastive import half_of_other_people, pair_contrastive

SAME = np.array([True, False, True, False, False])
WAYS = pytest.mark.parametrize("way", ["feature", "batch"])
MARGIN = 1.2


def literal(visible, infrared, way):
    axis = {"feature": 1, "batch": 0}[way]
    v, t = (rows / np.sqrt((rows**2).sum(axis, keepdims=True)) for rows in (visible, infrared))
    total = 0.0
    for i, same in enumerate(SAME):
        distance = np.sqrt(sum((v[i] - t[i]) ** 2))
        total += distance**2 if same else max(0.0, MARGIN - distance) ** 2
    return total / 2 / len(SAME)


def rows():
    return list(np.random.default_rng(2).normal(size=(2, 5, 4)))


@WAYS
def test_value_and_gradient_equal_a_literal_loop(way):
    visible, infrared = rows()
    loss = jax.jit(
        jax.value_and_grad(
            lambda v, t: pair_contrastive(v, t, jnp.asarray(SAME), MARGIN, way), (0, 1)
        )
    )
    value, gradients = loss(*(jnp.asarray(side, jnp.float32) for side in (visible, infrared)))
    assert float(value) == pytest.approx(literal(visible, infrared, way), rel=1e-5)
    expected = (
        slopes(lambda v: literal(v, infrared, way), visible),
        slopes(lambda t: literal(visible, t, way), infrared),
    )
    for one, other in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_a_pair_by_hand():
    v, t = jnp.array([[2.0, 0.0]]), jnp.array([[0.0, 3.0]])  # unit rows are the root of 2 apart
    assert float(pair_contrastive(v, t, jnp.array([True]), 0.5)) == pytest.approx(1.0)
    assert float(pair_contrastive(v, t, jnp.array([False]), 0.5)) == 0.0
    apart = (2 - np.sqrt(2)) ** 2 / 2
    assert float(pair_contrastive(v, t, jnp.array([False]), 2.0)) == pytest.approx(apart)


@WAYS
@pytest.mark.parametrize("row", [1.0, 0.0])
def test_gradients_are_finite_at_distance_zero(way, row):
    equal = jnp.full((5, 3), row)
    gradient = jax.jit(
        jax.grad(lambda v: pair_contrastive(v, equal, jnp.asarray(SAME), MARGIN, way))
    )
    assert np.isfinite(gradient(equal)).all()


@pytest.mark.parametrize(
    ("labels", "partners", "same"),
    [
        ([4, 5, 6, 7], [0, 1, 1, 2], [1, 1, 0, 0]),
        ([4, 5, 6], [0, 0, 1], [1, 0, 0]),
        ([4, 4, 6, 6], [0, 1, 1, 2], [1, 1, 0, 1]),  # two images of each: the labels decide
    ],
)
def test_half_of_the_pairs_get_another_person(labels, partners, same):
    rows = jnp.arange(len(labels), dtype=jnp.float32)[:, None]
    found = half_of_other_people(rows, jnp.array(labels))
    assert found[0][:, 0].tolist() == partners
    assert found[1].tolist() == [bool(one) for one in same]
