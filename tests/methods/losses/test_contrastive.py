"""Contrastive losses against literal NumPy loops; gradients by finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.tiers import MODES

from dmcf_jax.methods.losses import contrastive

LABELS = np.array([0, 1, 0, 2])  # of pairs


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def literal_supervised(embeddings, labels, temperature):
    rows, values = unit(embeddings), []
    for i in range(len(rows)):
        others = [j for j in range(len(rows)) if j != i]
        own = [j for j in others if labels[j] == labels[i]]
        if own:
            total = sum(np.exp(rows[i] @ rows[j] / temperature) for j in others)
            each = [np.log(np.exp(rows[i] @ rows[j] / temperature) / total) for j in own]
            values.append(-np.mean(each))
    return np.mean(values)


def literal_cross(visible, infrared, labels, temperature):
    values = []
    for anchors, candidates in ((visible, infrared), (infrared, visible)):
        anchors, candidates = unit(anchors), unit(candidates)
        for i, anchor in enumerate(anchors):
            shares = np.exp(candidates @ anchor / temperature)
            shares /= shares.sum()
            values.append(
                -np.mean([np.log(s) for s, y in zip(shares, labels, strict=True) if y == labels[i]])
            )
    return np.mean(values)


def pairs():
    return np.random.default_rng(0).normal(size=(2, len(LABELS), 5))


@MODES
def test_supervised_contrastive_equals_a_literal_loop(mode):
    rows, labels = pairs().reshape(-1, 5), np.tile(LABELS, 2)
    rows, labels = np.concatenate([rows, [np.ones(5)]]), np.append(labels, 9)  # one without own
    loss = mode(
        jax.value_and_grad(lambda e: contrastive.supervised_contrastive(e, jnp.array(labels), 0.1))
    )
    value, gradient = loss(jnp.asarray(rows, jnp.float32))
    assert float(value) == pytest.approx(literal_supervised(rows, labels, 0.1), rel=1e-5)
    for place in [(0, 0), (4, 3), (8, 1)]:
        step = np.zeros_like(rows)
        step[place] = 1e-6
        ends = [literal_supervised(rows + sign * step, labels, 0.1) for sign in (1, -1)]
        assert float(gradient[place]) == pytest.approx((ends[0] - ends[1]) / 2e-6, abs=1e-3)


@MODES
def test_cross_contrastive_equals_a_literal_loop(mode):
    visible, infrared = pairs()
    labels = jnp.asarray(LABELS)
    loss = mode(
        jax.value_and_grad(lambda v, i: contrastive.cross_contrastive(v, i, labels, 0.1), (0, 1))
    )
    arrays = [jnp.asarray(side, jnp.float32) for side in (visible, infrared)]
    value, gradients = loss(*arrays)
    assert float(value) == pytest.approx(literal_cross(visible, infrared, LABELS, 0.1), rel=1e-5)
    step = np.zeros_like(visible)
    step[2, 1] = 1e-6
    ends = [literal_cross(visible + s * step, infrared, LABELS, 0.1) for s in (1, -1)]
    assert float(gradients[0][2, 1]) == pytest.approx((ends[0] - ends[1]) / 2e-6, abs=1e-3)
    ends = [literal_cross(visible, infrared + s * step, LABELS, 0.1) for s in (1, -1)]
    assert float(gradients[1][2, 1]) == pytest.approx((ends[0] - ends[1]) / 2e-6, abs=1e-3)


@MODES
def test_rows_of_zeros_have_finite_gradients(mode):
    zeros, labels = jnp.zeros((4, 3)), jnp.asarray(LABELS)
    losses = (
        lambda e: contrastive.supervised_contrastive(e, labels, 0.1),
        lambda e: contrastive.cross_contrastive(e, e, labels, 0.1),
    )
    for loss in losses:
        assert np.isfinite(mode(jax.grad(loss))(zeros)).all()
