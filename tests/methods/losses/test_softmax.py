"""Softmax losses and cosine logits against literal NumPy loops."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.tiers import MODES

from dmcf_jax.methods.losses import softmax


@MODES
def test_softmax_cross_entropy_equals_a_literal_loop(mode):
    generator = np.random.default_rng(0)
    logits = 5 * generator.normal(size=(6, 4))
    labels = generator.integers(0, 4, 6)
    shares = [np.exp(row) / sum(np.exp(v) for v in row) for row in logits]
    expected = np.mean([-np.log(row[y]) for row, y in zip(shares, labels, strict=True)])
    value = mode(softmax.softmax_cross_entropy)(
        jnp.asarray(logits, jnp.float32), jnp.asarray(labels)
    )
    assert float(value) == pytest.approx(expected, rel=1e-5)


def literal_smoothed(logits, labels, smoothing):
    """PyTorch's CrossEntropyLoss(label_smoothing): its documented formula."""
    values = []
    for row, label in zip(logits, labels, strict=True):
        shares = np.log(np.exp(row) / np.exp(row).sum())
        target = np.full(len(row), smoothing / len(row))
        target[label] += 1 - smoothing
        values.append(-(target * shares).sum())
    return np.mean(values)


@MODES
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_smoothed_labels_equal_a_literal_loop(mode, smoothing):
    generator = np.random.default_rng(0)
    logits, labels = generator.normal(size=(6, 4)), generator.integers(0, 4, 6)
    function = jax.value_and_grad(lambda x: softmax.softmax_cross_entropy(x, y, smoothing))
    y = jnp.asarray(labels)
    value, gradient = mode(function)(jnp.asarray(logits, jnp.float32))
    assert float(value) == pytest.approx(literal_smoothed(logits, labels, smoothing), rel=1e-5)
    step = np.zeros_like(logits)
    step[2, 1] = 1e-5
    ends = [literal_smoothed(logits + sign * step, labels, smoothing) for sign in (1, -1)]
    assert float(gradient[2, 1]) == pytest.approx((ends[0] - ends[1]) / 2e-5, abs=1e-4)


def literal_cosines(embeddings, kernel, scale):
    lengths = np.linalg.norm(embeddings, axis=1)[:, None] * np.linalg.norm(kernel, axis=0)
    return scale * (embeddings @ kernel) / lengths


@MODES
def test_cosine_logits_equal_a_literal_loop(mode):
    generator = np.random.default_rng(1)
    embeddings, kernel = generator.normal(size=(5, 3)), generator.normal(size=(3, 4))
    function = mode(lambda e, k: softmax.cosine_logits(e, k, 20.0))
    arrays = [jnp.asarray(x, jnp.float32) for x in (embeddings, kernel)]
    expected = literal_cosines(embeddings, kernel, 20.0)
    np.testing.assert_allclose(function(*arrays), expected, rtol=1e-4, atol=1e-5)
    gradient = mode(jax.grad(lambda e, k: function(e, k)[1, 2], argnums=(0, 1)))(*arrays)
    for which, place in ((0, (1, 0)), (1, (2, 2))):
        step = np.zeros_like((embeddings, kernel)[which])
        step[place] = 1e-6
        ends = []
        for sign in (1, -1):
            moved = [embeddings, kernel]
            moved[which] = moved[which] + sign * step
            ends.append(literal_cosines(*moved, 20.0)[1, 2])
        assert float(gradient[which][place]) == pytest.approx((ends[0] - ends[1]) / 2e-6, abs=1e-2)


@MODES
def test_a_row_of_zeros_has_logits_and_gradients_of_zero(mode):
    embeddings, kernel = jnp.zeros((2, 3)), jnp.ones((3, 4))
    function = mode(jax.value_and_grad(lambda e: softmax.cosine_logits(e, kernel, 9.0).sum()))
    value, gradient = function(embeddings)
    assert float(value) == 0.0 and not np.asarray(gradient).any()
