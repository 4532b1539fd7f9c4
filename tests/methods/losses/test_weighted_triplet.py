"""CAJ's triplet loss of squared differences against literal loops, value and gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.finite_differences import slopes

from dmcf_jax.methods.losses.weighted_triplet import (
    squared_difference_triplet,
    weighted_distances,
    weighted_triplet,
)

LABELS = np.array([0, 0, 1, 1, 2, 2, 0], np.int32)
compiled = jax.jit(jax.value_and_grad(squared_difference_triplet))


def literal_distances(embeddings):
    """Yield each row's weighted distances to its own and to other people's rows."""
    for i, label in enumerate(LABELS):
        distances = np.sqrt(((embeddings - embeddings[i]) ** 2).sum(1))
        own, other = distances[label == LABELS], distances[label != LABELS]
        yield (
            sum(np.exp(own) * own) / sum(np.exp(own)),
            sum(np.exp(-other) * other) / sum(np.exp(-other)),
        )


def literal(embeddings):
    values = []
    for own, other in literal_distances(embeddings):
        squared = min((own - other) ** 2, 88)
        values.append(np.log(1 + np.exp(squared if own > other else -squared)))
    return np.mean(values)


def rows(seed=0):
    return np.random.default_rng(seed).normal(size=(len(LABELS), 4))


def test_value_and_gradient_equal_a_literal_loop():
    signs = {bool(own > other) for own, other in literal_distances(rows())}
    assert signs == {True, False}
    value, gradient = compiled(jnp.asarray(rows(), jnp.float32), jnp.asarray(LABELS))
    assert float(value) == pytest.approx(literal(rows()), rel=1e-5)
    np.testing.assert_allclose(gradient, slopes(literal, rows()), atol=1e-4)


def test_weighted_distances_are_those_of_the_weighted_regularised_triplet():
    embeddings = jnp.asarray(rows(1), jnp.float32)
    own, other, counted = jax.jit(weighted_distances)(embeddings, jnp.asarray(LABELS))
    np.testing.assert_allclose(
        np.stack([own, other], 1), list(literal_distances(rows(1))), rtol=1e-5
    )
    assert counted.all()
    expected = weighted_triplet(embeddings, jnp.asarray(LABELS))
    assert float(jnp.mean(jax.nn.softplus(own - other))) == pytest.approx(float(expected))


def test_the_cap_and_far_clusters_stay_finite():
    far = jnp.asarray(1000 * rows(), jnp.float32)
    value, gradient = compiled(far, jnp.asarray(LABELS))
    assert 0 < float(value) <= 88.01 and np.isfinite(gradient).all()
    sorted_out = 1000.0 * jnp.asarray(LABELS, jnp.float32)[:, None] * jnp.ones(4)
    assert float(compiled(sorted_out, jnp.asarray(LABELS))[0]) < 1e-30


def test_one_identity_costs_nothing_and_equal_rows_are_finite():
    value, gradient = compiled(jnp.ones((7, 4)), jnp.zeros(7, jnp.int32))
    assert float(value) == 0.0 and not np.asarray(gradient).any()
    value, gradient = compiled(jnp.zeros((7, 4)), jnp.asarray(LABELS))
    assert float(value) == pytest.approx(np.log(2)) and np.isfinite(gradient).all()
