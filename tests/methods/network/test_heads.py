"""Heads by hand: a batch norm between losses of distances and classifier, and AlexNet's fc7."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dmcf_jax.methods.network.heads import Head
from dmcf_jax.models.tree_paths import leaves_by_path

pytestmark = pytest.mark.usefixtures("standard_promotion")
POOLED = np.random.default_rng(0).normal(2.0, 3.0, (6, 4)).astype(np.float32)


def made(size=None):
    head = Head(size, 3, kind="bnneck")
    variables = jax.tree.map(np.array, head.init(jax.random.key(0), jnp.asarray(POOLED), True))
    draw = np.random.default_rng(1)
    return head, jax.tree.map(lambda leaf: draw.uniform(0.5, 2, leaf.shape).astype("f"), variables)


def applied(head, variables, train, **options) -> Any:
    return head.apply(variables, jnp.asarray(POOLED), train, **options)


def scaled(rows, mean, var, scale):
    return (rows - mean) / np.sqrt(var + 1e-5) * scale


def test_it_has_no_bias_anywhere():
    names = set(leaves_by_path(made()[1]["params"]))
    assert names == {"last_norm/bn/scale", "classifier/kernel"}


def test_in_training_losses_of_distances_see_the_pooled_rows_and_the_classifier_their_norm():
    head, variables = made()
    weights = variables["params"]
    (rows, logits), updated = applied(head, variables, True, mutable=["batch_stats"])
    np.testing.assert_array_equal(rows, POOLED)
    normed = scaled(POOLED, POOLED.mean(0), POOLED.var(0), weights["last_norm"]["bn"]["scale"])
    np.testing.assert_allclose(logits, normed @ weights["classifier"]["kernel"], rtol=1e-4)
    old = variables["batch_stats"]["last_norm"]["bn"]["mean"]
    new = updated["batch_stats"]["last_norm"]["bn"]["mean"]
    np.testing.assert_allclose(new, 0.9 * old + 0.1 * POOLED.mean(0), rtol=1e-5)


def test_the_test_sees_the_running_norm():
    head, variables = made()
    running = variables["batch_stats"]["last_norm"]["bn"]
    scale = variables["params"]["last_norm"]["bn"]["scale"]
    found = applied(head, variables, False, method="embed")
    expected = scaled(POOLED, running["mean"], running["var"], scale)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_a_reduction_comes_before_it():
    head, variables = made(size=2)
    rows, logits = applied(head, variables, False)
    assert rows.shape == (6, 2) and (np.asarray(rows) >= 0).all()  # behind the reduction's ReLU
    embedded = applied(head, variables, False, method="embed")
    kernel = variables["params"]["classifier"]["kernel"]
    np.testing.assert_allclose(logits, np.asarray(embedded) @ kernel, rtol=1e-4)


def test_fc7_is_a_relu_a_linear_layer_and_a_relu():
    head = Head(2, 3, kind="fc7", dropout=0.5)
    variables = head.init(jax.random.key(0), jnp.asarray(POOLED), False)
    weights = jax.tree.map(np.asarray, variables["params"])
    assert set(weights) == {"hidden", "classifier"}
    rows, logits = applied(head, variables, False)
    layer, classifier = weights["hidden"], weights["classifier"]
    expected = np.maximum(np.maximum(POOLED, 0) @ layer["kernel"] + layer["bias"], 0)
    assert (expected > 0).any() and (expected == 0).any()
    np.testing.assert_allclose(rows, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(applied(head, variables, False, method="embed"), rows)
    np.testing.assert_allclose(
        logits, expected @ classifier["kernel"] + classifier["bias"], rtol=1e-4
    )


def test_fc7_drops_values_before_both_linear_layers():
    size = 2000
    head = Head(size, 1, kind="fc7", dropout=0.5)
    pooled = jnp.ones((1, size))
    variables = jax.tree.map(jnp.ones_like, head.init(jax.random.key(0), pooled, False)["params"])
    variables = {
        "params": variables | {"hidden": {"kernel": jnp.eye(size), "bias": jnp.zeros(size)}}
    }
    rows, logits = head.apply(variables, pooled, True, rngs={"dropout": jax.random.key(1)})
    assert set(np.unique(rows)) == {0.0, 2.0}  # what is kept is doubled
    assert np.mean(np.asarray(rows) > 0) == pytest.approx(0.5, abs=0.05)
    # One is the bias; of the values a quarter is left, doubled twice.
    assert float(logits[0, 0] - 1) == pytest.approx(size, rel=0.12)
