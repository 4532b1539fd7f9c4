"""Triplet losses against literal NumPy loops, and their gradients at the hard places."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.tiers import MODES

from dmcf_jax.methods.losses import triplet
from dmcf_jax.methods.losses.weighted_triplet import weighted_triplet


def literal_batch_hard(embeddings, labels, margin):
    hinges = []
    for i in range(len(labels)):
        positives, negatives = [], []
        for j in range(len(labels)):
            pairs = zip(*embeddings[[i, j]], strict=True)
            distance = np.sqrt(sum((float(a) - float(b)) ** 2 for a, b in pairs))
            (positives if labels[i] == labels[j] else negatives).append(distance)
        if negatives:
            hinges.append(max(0.0, margin + max(positives) - min(negatives)))
    return sum(hinges) / max(len(hinges), 1)


@MODES
@pytest.mark.parametrize("seed", range(3))
def test_batch_hard_triplet_equals_a_literal_loop(mode, seed):
    generator = np.random.default_rng(seed)
    embeddings = generator.normal(size=(12, 5)).astype(np.float32)
    labels = generator.integers(0, 4, 12).astype(np.int32)
    function = mode(lambda e, y: triplet.batch_hard_triplet(e, y, 1.8))
    value = function(jnp.asarray(embeddings), jnp.asarray(labels))
    assert float(value) == pytest.approx(literal_batch_hard(embeddings, labels, 1.8), rel=1e-5)


def test_batch_hard_triplet_by_hand():
    # On a line: anchors 0 and 1 are one person, 3 another (its own and only positive).
    embeddings = jnp.array([[0.0], [1.0], [3.0]])
    labels = jnp.array([7, 7, 9])
    # anchor 0: 1.8 + 1 - 3 < 0; anchor 1: 1.8 + 1 - 2 = 0.8; anchor 3: 1.8 + 0 - 2 < 0.
    value = jax.jit(lambda e: triplet.batch_hard_triplet(e, labels, 1.8))(embeddings)
    assert float(value) == pytest.approx(0.8 / 3)


def test_a_batch_of_one_identity_costs_nothing():
    labels = jnp.zeros(4, jnp.int32)
    value = jax.jit(lambda e: triplet.batch_hard_triplet(e, labels, 1.8))(jnp.ones((4, 3)))
    assert float(value) == 0.0


@MODES
@pytest.mark.parametrize("embeddings", [np.zeros((6, 4)), np.tile(np.eye(2, 4), (3, 1))])
def test_gradients_are_finite_at_duplicates_and_zero_distance(mode, embeddings):
    labels = jnp.array([0, 0, 1, 1, 2, 2])
    gradient = mode(jax.grad(lambda e: triplet.batch_hard_triplet(e, labels, 1.8)))
    assert np.isfinite(gradient(jnp.asarray(embeddings, jnp.float32))).all()


def test_triplet_gradient_equals_finite_differences():
    generator = np.random.default_rng(3)
    embeddings = generator.normal(size=(8, 3))
    labels = np.array([0, 0, 1, 1, 2, 2, 3, 3])
    gradient = jax.jit(jax.grad(lambda e: triplet.batch_hard_triplet(e, jnp.array(labels), 1.8)))
    found = np.asarray(gradient(jnp.asarray(embeddings, jnp.float32)))
    for i, j in [(0, 0), (3, 2), (7, 1)]:
        step = np.zeros_like(embeddings)
        step[i, j] = 1e-5
        up = literal_batch_hard(embeddings + step, labels, 1.8)
        down = literal_batch_hard(embeddings - step, labels, 1.8)
        assert found[i, j] == pytest.approx((up - down) / 2e-5, abs=1e-3)


def literal_rows(embeddings, labels):
    """Yield (distances to own rows, the row itself among them, to others) of each anchor."""
    for i in range(len(labels)):
        distances = [np.sqrt(((embeddings[i] - other) ** 2).sum()) for other in embeddings]
        own = [d for d, label in zip(distances, labels, strict=True) if label == labels[i]]
        yield (
            np.array(own),
            np.array([d for d, label in zip(distances, labels, strict=True) if label != labels[i]]),
        )


def literal_soft_margin(embeddings, labels):
    rows = [row for row in literal_rows(embeddings, labels) if len(row[1])]
    return np.mean([np.log1p(np.exp(own.max() - other.min())) for own, other in rows])


def literal_weighted(embeddings, labels):
    """AGW's formula with the softmax over the entries that count, in float64."""
    values = []
    for own, other in literal_rows(embeddings, labels):
        if len(other):
            own_weights = np.exp(own) / np.exp(own).sum()
            other_weights = np.exp(-other) / np.exp(-other).sum()
            gap = (own_weights * own).sum() - (other_weights * other).sum()
            values.append(np.log1p(np.exp(gap)))
    return np.mean(values)


SOFT = pytest.mark.parametrize(
    ("loss", "literal"),
    [
        (triplet.soft_margin_triplet, literal_soft_margin),
        (weighted_triplet, literal_weighted),
    ],
    ids=["soft margin", "weighted"],
)


@MODES
@SOFT
@pytest.mark.parametrize("seed", range(3))
def test_soft_triplets_equal_a_literal_loop(mode, loss, literal, seed):
    generator = np.random.default_rng(seed)
    embeddings = generator.normal(size=(12, 5)).astype(np.float32)
    labels = generator.integers(0, 4, 12).astype(np.int32)
    value = mode(loss)(jnp.asarray(embeddings), jnp.asarray(labels))
    assert float(value) == pytest.approx(literal(embeddings, labels), rel=1e-5)


@SOFT
def test_gradients_of_soft_triplets_equal_finite_differences(loss, literal):
    embeddings = np.random.default_rng(3).normal(size=(8, 3))
    labels = np.array([0, 0, 1, 1, 2, 2, 3, 3])
    gradient = jax.jit(jax.grad(lambda e: loss(e, jnp.asarray(labels))))
    found = np.asarray(gradient(jnp.asarray(embeddings, jnp.float32)))
    for i, j in [(0, 0), (3, 2), (7, 1)]:
        step = np.zeros_like(embeddings)
        step[i, j] = 1e-5
        ends = [literal(embeddings + sign * step, labels) for sign in (1, -1)]
        assert found[i, j] == pytest.approx((ends[0] - ends[1]) / 2e-5, abs=1e-3)


@MODES
@SOFT
def test_soft_triplets_of_one_identity_and_of_equal_rows(mode, loss, literal):
    function = mode(jax.value_and_grad(loss))
    value, gradient = function(jnp.zeros((6, 4)), jnp.array([0, 0, 1, 1, 2, 2], jnp.int32))
    assert float(value) == pytest.approx(np.log(2))  # every distance is 0
    assert np.isfinite(gradient).all()
    value, gradient = function(jnp.ones((6, 4)), jnp.zeros(6, jnp.int32))
    assert float(value) == 0.0 and not np.asarray(gradient).any()


def test_weights_do_not_underflow_at_large_distances():
    # Two clusters far apart: with the mask inside the softmax, as the authors have it, the
    # weights of the others are exp(-1000) / 1e-6 = 0 and the loss is log(1 + exp(own)) > 0.69.
    embeddings = jnp.array([[0.0], [1.0], [1000.0], [1001.0]])
    value = jax.jit(weighted_triplet)(embeddings, jnp.array([0, 0, 1, 1]))
    assert float(value) == pytest.approx(0.0, abs=1e-6)
