"""Bilinear distances between modalities as cosines of unit vectors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dmcf_jax.models.cross_metric import CrossMetric, lift, metric_params, reach


def sides(seed=0):
    """X, a and Z, b whose distance is negative for many pairs, float32."""
    draw = np.random.default_rng(seed)
    shapes = [((n, 6), n) for n in (7, 9)]
    return [
        tuple(jnp.asarray(draw.normal(size=shape), jnp.float32) for shape in pair)
        for pair in shapes
    ]


def literal_distance(x, a, z, b):
    return np.array([[a[i] + b[j] - 2 * x[i] @ z[j] for j in range(len(z))] for i in range(len(x))])


@pytest.mark.parametrize("mode", [lambda call: call, jax.jit], ids=["eager", "jitted"])
def test_the_cosine_is_the_distance_over_minus_twice_the_radius(mode):
    visible, infrared = sides()
    expected = literal_distance(*visible, *infrared)
    assert expected.min() < 0 < expected.max()
    radius = 2 * max(float(reach(*side).max()) for side in (visible, infrared))
    both = mode(lambda v, t: (lift(*v, radius, "visible"), lift(*t, radius, "infrared")))
    e_x, e_z = (np.asarray(rows, np.float64) for rows in both(visible, infrared))
    for rows in (e_x, e_z):
        np.testing.assert_allclose((rows**2).sum(axis=1), 1.0, rtol=1e-6)
    np.testing.assert_allclose(-2 * radius * e_x @ e_z.T, expected, atol=1e-5)


def test_rows_beyond_the_radius_still_have_unit_length():
    (cross, square), _ = sides()
    rows = np.asarray(lift(10 * cross, square, 2.0, "infrared"))
    np.testing.assert_allclose((rows**2).sum(axis=1), 1.0, rtol=1e-6)


def test_fitted_maps_rank_as_the_signed_squares_of_differences():
    """With maps of each modality, a mean, a sign of -1, and a rank above that of the maps."""
    draw = np.random.default_rng(3)
    visible, infrared = draw.normal(size=(2, 8, 5)) + 4.0
    maps = {"visible": draw.normal(size=(5, 3)), "infrared": draw.normal(size=(5, 3))}
    signs, mean = np.array([1.0, -1.0, 1.0]), np.full(5, 4.0)
    params = metric_params(mean, maps, signs, {"visible": visible, "infrared": infrared}, rank=4)
    metric = CrossMetric(5, 4)
    apply = jax.jit(metric.apply, static_argnums=2)
    e_x = apply({"params": params}, jnp.asarray(visible, jnp.float32), "visible")
    e_z = apply({"params": params}, jnp.asarray(infrared, jnp.float32), "infrared")
    expected = np.array(
        [
            [
                sum(signs * ((x - mean) @ maps["visible"] - (z - mean) @ maps["infrared"]) ** 2)
                for z in infrared
            ]
            for x in visible
        ]
    )
    cosines = np.asarray(e_x) @ np.asarray(e_z).T
    assert np.array_equal((-cosines).argsort(axis=1), expected.argsort(axis=1))
    assert np.array_equal((-cosines).argsort(axis=0), expected.argsort(axis=0))
    fit = np.corrcoef(cosines.ravel(), expected.ravel())[0, 1]
    assert fit == pytest.approx(-1.0, abs=1e-6)
