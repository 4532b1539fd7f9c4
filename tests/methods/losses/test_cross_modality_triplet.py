"""Triplets across modalities against literal loops, value and gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.finite_differences import slopes

from dmcf_jax.methods.losses.cross_modality_triplet import drawn_cross_triplet, hard_cross_triplet

PEOPLE, IMAGES, MARGIN = 3, 2, 1.4
LABELS = np.repeat([5, 2, 8], IMAGES)


def distance(one, other):
    return np.sqrt(sum((one - other) ** 2))


def literal_hard(visible, infrared):
    total = 0.0
    for anchors, others in ((visible, infrared), (infrared, visible)):
        for i, anchor in enumerate(anchors):
            own = [distance(anchor, o) for j, o in enumerate(others) if LABELS[j] == LABELS[i]]
            other = [distance(anchor, o) for j, o in enumerate(others) if LABELS[j] != LABELS[i]]
            total += max(0.0, MARGIN + max(own) - min(other)) / len(anchors)
    return total


def literal_drawn(visible, infrared):
    total = 0.0
    for anchors, others in ((visible, infrared), (infrared, visible)):
        for person in range(PEOPLE):
            for k in range(IMAGES):
                anchor = anchors[person * IMAGES + k]
                positive = others[person * IMAGES + (k + 1) % IMAGES]
                negative = others[(person + 1) % PEOPLE * IMAGES + k]
                gap = distance(anchor, positive) - distance(anchor, negative)
                total += max(0.0, MARGIN + gap) / len(anchors)
    return total


def hard(visible, infrared):
    return hard_cross_triplet(visible, infrared, jnp.asarray(LABELS), MARGIN)


def drawn(visible, infrared):
    return drawn_cross_triplet(visible, infrared, IMAGES, MARGIN)


WAYS = pytest.mark.parametrize(
    ("loss", "literal"), [(hard, literal_hard), (drawn, literal_drawn)], ids=["hard", "drawn"]
)


@WAYS
def test_value_and_gradient_equal_a_literal_loop(loss, literal):
    visible, infrared = 2 * np.random.default_rng(0).normal(size=(2, len(LABELS), 4))
    sides = [jnp.asarray(side, jnp.float32) for side in (visible, infrared)]
    value, gradients = jax.jit(jax.value_and_grad(loss, (0, 1)))(*sides)
    assert float(value) == pytest.approx(literal(visible, infrared), rel=1e-5)
    expected = (
        slopes(lambda v: literal(v, infrared), visible),
        slopes(lambda t: literal(visible, t), infrared),
    )
    for one, other in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


@WAYS
def test_swapping_modalities_changes_nothing(loss, literal):
    visible, infrared = jnp.asarray(np.random.default_rng(1).normal(size=(2, 6, 4)), jnp.float32)
    found, swapped = jax.jit(lambda v, t: (loss(v, t), loss(t, v)))(visible, infrared)
    assert float(found) == pytest.approx(float(swapped))


@WAYS
def test_gradients_are_finite_at_equal_rows(loss, literal):
    equal = jnp.ones((len(LABELS), 3))
    value, gradient = jax.jit(jax.value_and_grad(loss))(equal, equal)
    assert float(value) == pytest.approx(2 * MARGIN)
    assert np.isfinite(gradient).all()


def test_hard_mining_never_costs_less_and_one_person_costs_nothing():
    visible, infrared = jnp.asarray(np.random.default_rng(2).normal(size=(2, 6, 4)), jnp.float32)
    assert float(hard(visible, infrared)) >= float(drawn(visible, infrared))
    alone = hard_cross_triplet(visible, infrared, jnp.zeros(6, jnp.int32), MARGIN)
    assert float(alone) == 0.0
