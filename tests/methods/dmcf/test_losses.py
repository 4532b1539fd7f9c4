"""Losses against literal NumPy loops, eager and jitted, and their gradients at the hard places."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dmcf_jax.methods.dmcf import losses
from dmcf_jax.methods.dmcf.levels import features_of, loss_terms_of

MODES = pytest.mark.parametrize("mode", [lambda f: f, jax.jit], ids=["eager", "jitted"])


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
    function = mode(lambda e, y: losses.batch_hard_triplet(e, y, 1.8))
    value = function(jnp.asarray(embeddings), jnp.asarray(labels))
    assert float(value) == pytest.approx(literal_batch_hard(embeddings, labels, 1.8), rel=1e-5)


def test_batch_hard_triplet_by_hand():
    # On a line: anchors 0 and 1 are one person, 3 another (its own and only positive).
    embeddings = jnp.array([[0.0], [1.0], [3.0]])
    labels = jnp.array([7, 7, 9])
    # anchor 0: 1.8 + 1 - 3 < 0; anchor 1: 1.8 + 1 - 2 = 0.8; anchor 3: 1.8 + 0 - 2 < 0.
    assert float(losses.batch_hard_triplet(embeddings, labels, 1.8)) == pytest.approx(0.8 / 3)


def test_a_batch_of_one_identity_costs_nothing():
    value = losses.batch_hard_triplet(jnp.ones((4, 3)), jnp.zeros(4, jnp.int32), 1.8)
    assert float(value) == 0.0


@MODES
@pytest.mark.parametrize("embeddings", [np.zeros((6, 4)), np.tile(np.eye(2, 4), (3, 1))])
def test_gradients_are_finite_at_duplicates_and_zero_distance(mode, embeddings):
    labels = jnp.array([0, 0, 1, 1, 2, 2])
    gradient = mode(jax.grad(lambda e: losses.batch_hard_triplet(e, labels, 1.8)))
    assert np.isfinite(gradient(jnp.asarray(embeddings, jnp.float32))).all()


def test_triplet_gradient_equals_finite_differences():
    generator = np.random.default_rng(3)
    embeddings = generator.normal(size=(8, 3))
    labels = np.array([0, 0, 1, 1, 2, 2, 3, 3])
    gradient = jax.grad(lambda e: losses.batch_hard_triplet(e, jnp.asarray(labels), 1.8))
    found = np.asarray(gradient(jnp.asarray(embeddings, jnp.float32)))
    for i, j in [(0, 0), (3, 2), (7, 1)]:
        step = np.zeros_like(embeddings)
        step[i, j] = 1e-5
        up = literal_batch_hard(embeddings + step, labels, 1.8)
        down = literal_batch_hard(embeddings - step, labels, 1.8)
        assert found[i, j] == pytest.approx((up - down) / 2e-5, abs=1e-3)


@MODES
def test_softmax_cross_entropy_equals_a_literal_loop(mode):
    generator = np.random.default_rng(0)
    logits = 5 * generator.normal(size=(6, 4))
    labels = generator.integers(0, 4, 6)
    shares = [np.exp(row) / sum(np.exp(v) for v in row) for row in logits]
    expected = np.mean([-np.log(row[y]) for row, y in zip(shares, labels, strict=True)])
    value = mode(losses.softmax_cross_entropy)(
        jnp.asarray(logits, jnp.float32), jnp.asarray(labels)
    )
    assert float(value) == pytest.approx(expected, rel=1e-5)


@MODES
def test_weigh_levels_is_equation_15(mode):
    level_losses, sigma = [8.0, 17.0, 21.0], [0.4, 1.0, 2.5]
    expected = sum(
        loss / (2 * s**2) + np.log(s) for loss, s in zip(level_losses, sigma, strict=True)
    )
    value = mode(losses.weigh_levels)(jnp.array(level_losses), jnp.log(jnp.array(sigma) ** 2))
    assert float(value) == pytest.approx(expected, rel=1e-6)


def test_before_the_weighting_starts_the_levels_are_added_and_log_variance_rests():
    level_losses, log_variance = jnp.array([1.0, 2.0, 4.0]), jnp.array([0.5, -1.0, 2.0])
    value, gradient = jax.value_and_grad(losses.total_loss, argnums=1)(
        level_losses, log_variance, jnp.array(False)
    )
    assert float(value) == 7.0
    assert not gradient.any()
    weighted = losses.total_loss(level_losses, log_variance, jnp.array(True))
    assert float(weighted) == float(losses.weigh_levels(level_losses, log_variance))


def test_the_papers_network_has_eleven_losses_on_the_papers_features():
    features = features_of(("layer2", "layer3", "layer4"), (1, 2, 3))
    assert [f.name for f in features] == ["G1", "G2", "R1", "R2", "G3", "R3", "R4", "R5"]
    terms = loss_terms_of(features)
    triplets = {t.name: t.feature for t in terms if t.kind == "triplet"}
    softmaxes = {t.name: t.feature for t in terms if t.kind == "softmax"}
    assert triplets == {"L1": "G1", "L3": "G2", "L7": "G3"}
    expected = dict(L2="G1", L4="G2", L5="R1", L6="R2", L8="G3", L9="R3", L10="R4", L11="R5")
    assert softmaxes == expected
    levels = {t.name: t.level for t in terms}
    assert [n for n in levels if levels[n] == "low"] == ["L1", "L2"]
    assert [n for n in levels if levels[n] == "middle"] == ["L3", "L4", "L5", "L6"]
    assert [n for n in levels if levels[n] == "high"] == ["L7", "L8", "L9", "L10", "L11"]


def test_level_sums_are_equations_12_to_14():
    terms = loss_terms_of(features_of(("layer2", "layer3", "layer4"), (1, 2, 3)))
    by_term = {f"L{i}": jnp.float32(i) for i in range(1, 12)}
    sums = {name: float(value) for name, value in losses.sum_levels(by_term, terms).items()}
    assert sums == {"low": 1 + 2, "middle": 3 + 4 + 5 + 6, "high": 7 + 8 + 9 + 10 + 11}
