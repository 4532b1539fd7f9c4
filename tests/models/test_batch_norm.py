"""Batch norm against NumPy in float64 and against Flax's own: values, statistics, gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from support.tiers import MODES

from dmcf_jax.models.batch_norm import EPSILON, MOMENTUM, BatchNorm


def maps(shape=(4, 6, 3, 5)):
    """Return values whose channels have means up to six deviations from zero, and variables."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=shape) + np.linspace(-3, 6, shape[-1])
    names = ("scale", "bias", "mean", "var")
    variables = {
        name: jnp.asarray(generator.uniform(0.5, 2, shape[-1:]), np.float32) for name in names
    }
    return jnp.asarray(x, jnp.float32), {
        "params": {name: variables[name] for name in ("scale", "bias")},
        "batch_stats": {name: variables[name] for name in ("mean", "var")},
    }


def literal(x, params, mean, var):
    scale, bias = (np.asarray(params[name], np.float64) for name in ("scale", "bias"))
    return (np.asarray(x, np.float64) - mean) / np.sqrt(var + EPSILON) * scale + bias


@MODES
@pytest.mark.parametrize("shape", [(4, 6, 3, 5), (7, 5)])
def test_training_normalises_by_the_batch_and_keeps_its_moments(mode, shape):
    x, variables = maps(shape)
    call = mode(lambda v, x: BatchNorm(True).apply(v, x, mutable=["batch_stats"]))
    result, updated = call(variables, x)
    axes = tuple(range(x.ndim - 1))
    mean, var = np.asarray(x, np.float64).mean(axes), np.asarray(x, np.float64).var(axes)
    np.testing.assert_allclose(result, literal(x, variables["params"], mean, var), atol=1e-4)
    for name, new in {"mean": mean, "var": var}.items():
        old = variables["batch_stats"][name]
        expected = (1 - MOMENTUM) * old + MOMENTUM * new
        np.testing.assert_allclose(updated["batch_stats"][name], expected, rtol=1e-4)


@MODES
def test_evaluation_uses_the_statistics_and_leaves_them(mode):
    x, variables = maps()
    call = mode(lambda v, x: BatchNorm(False).apply(v, x, mutable=["batch_stats"]))
    result, updated = call(variables, x)
    moments = jax.tree.map(np.asarray, variables["batch_stats"])
    np.testing.assert_allclose(
        result, literal(x, variables["params"], moments["mean"], moments["var"]), atol=1e-5
    )
    jax.tree.map(np.testing.assert_array_equal, updated["batch_stats"], moments)


@MODES
def test_gradients_are_those_of_the_textbook(mode):
    """The textbook: dx = scale / deviation (g - mean(g) - xhat mean(g xhat)), summed in float64."""
    x, variables = maps()
    g = jnp.asarray(np.random.default_rng(1).normal(size=x.shape), jnp.float32)

    def value(params, x):
        call = variables | {"params": params}
        return jnp.sum(g * BatchNorm(True).apply(call, x, mutable=["batch_stats"])[0])

    of_params, of_x = mode(jax.grad(value, (0, 1)))(variables["params"], x)
    axes = (0, 1, 2)
    x, g = np.asarray(x, np.float64), np.asarray(g, np.float64)
    deviation = np.sqrt(x.var(axes) + EPSILON)
    xhat = (x - x.mean(axes)) / deviation
    scale = np.asarray(variables["params"]["scale"])
    expected = scale / deviation * (g - g.mean(axes) - xhat * (g * xhat).mean(axes))
    np.testing.assert_allclose(of_x, expected, atol=1e-4)
    np.testing.assert_allclose(of_params["scale"], (g * xhat).sum(axes), atol=5e-3)
    np.testing.assert_allclose(of_params["bias"], g.sum(axes), atol=1e-4)


@pytest.mark.parametrize("train", [True, False])
def test_equals_flax_in_bfloat16(train):
    x, variables = maps()
    x = x.astype(jnp.bfloat16)
    theirs = nn.BatchNorm(use_running_average=not train, momentum=0.9, dtype=jnp.bfloat16)
    ours = BatchNorm(train, jnp.bfloat16)
    with jax.numpy_dtype_promotion("standard"):  # Flax mixes dtypes
        a, stats_a = theirs.apply(variables, x, mutable=["batch_stats"])
    b, stats_b = ours.apply(variables, x, mutable=["batch_stats"])
    assert b.dtype == jnp.bfloat16
    np.testing.assert_allclose(a.astype(np.float32), b.astype(np.float32), rtol=1e-2, atol=1e-2)
    jax.tree.map(lambda m, n: np.testing.assert_allclose(m, n, rtol=1e-5), stats_a, stats_b)
