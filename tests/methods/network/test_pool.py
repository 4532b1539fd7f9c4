"""Pooling compared with loops, and with the bins of PyTorch's adaptive pooling by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dmcf_jax.methods.network.levels import features_of
from dmcf_jax.methods.network.pool import POOLS, pool, stripe_rows


def maps():
    return np.random.default_rng(0).uniform(0.1, 2.0, (2, 7, 3, 5)).astype(np.float32)


def literal(values, kind, power):
    """Pool one image's [rows columns channels], a channel at a time."""
    found = []
    for channel in np.moveaxis(values.astype(np.float64), -1, 0):
        flat = channel.ravel()
        found.append(
            {
                "max": max(flat),
                "average": sum(flat) / len(flat),
                "gem": (sum(v**power for v in flat) / len(flat)) ** (1 / power),
            }[kind]
        )
    return found


@pytest.mark.parametrize("kind", POOLS)
def test_each_kind_is_its_loop_on_the_map_and_on_its_stripes(kind):
    # PyTorch divides 7 rows in 3 as 0-3, 2-5 and 4-7.
    bins = {None: (0, 7), 0: (0, 3), 1: (2, 5), 2: (4, 7)}
    run = jax.jit(pool, static_argnums=(1, 2, 3))
    for feature in features_of(("layer4",), (3,)):
        first, end = bins[feature.stripe]
        expected = [literal(image[first:end], kind, 3.0) for image in maps()]
        np.testing.assert_allclose(run(maps(), feature, kind, 3.0), expected, rtol=1e-5)


def test_stripes_that_divide_the_map_share_no_row():
    assert [stripe_rows(18, i, 3) for i in range(3)] == [(0, 6), (6, 12), (12, 18)]


def test_the_generalised_mean_lies_between_average_and_maximum():
    feature = features_of(("layer4",), (1,))[0]
    one = pool(jnp.asarray(maps()), feature, "gem", 1.0)
    np.testing.assert_allclose(one, pool(jnp.asarray(maps()), feature, "average"), rtol=1e-5)
    high = pool(jnp.asarray(maps()), feature, "gem", 80.0)
    np.testing.assert_allclose(high, pool(jnp.asarray(maps()), feature, "max"), rtol=0.05)
    slope = jax.grad(lambda x: pool(x, feature, "gem").sum())(jnp.zeros((1, 2, 2, 3)))
    assert np.isfinite(slope).all()
