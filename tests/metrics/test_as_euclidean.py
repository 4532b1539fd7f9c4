"""Bilinear distances as Euclidean vectors: exact, in NumPy and in jax."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dmcf_jax.metrics.as_euclidean import EuclideanMap, fit_as_euclidean


def sides(seed=0):
    """X, a and Z, b whose distance is negative for many pairs."""
    draw = np.random.default_rng(seed)
    return [(draw.normal(size=(n, 6)), draw.normal(size=n)) for n in (7, 9)]


def bilinear(visible, infrared):
    (x, a), (z, b) = visible, infrared
    return np.array([[a[i] + b[j] - 2 * x[i] @ z[j] for j in range(len(z))] for i in range(len(x))])


def squared_distances(rows, others):
    return ((rows[:, None] - others[None]) ** 2).sum(-1)


def test_the_distance_is_the_bilinear_one_and_twice_the_offset():
    visible, infrared = sides()
    expected = bilinear(visible, infrared)
    assert expected.min() < 0
    fitted = fit_as_euclidean(visible, infrared)
    (e_x, lost_x), (e_z, lost_z) = fitted.visible(*visible), fitted.infrared(*infrared)
    assert (lost_x, lost_z) == (0, 0)
    found = squared_distances(e_x, e_z) - 2 * fitted.offset
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_the_offset_is_twice_what_the_rows_need():
    visible, infrared = sides()
    needed = max(
        row @ row - square
        for side in (visible, infrared)
        for row, square in zip(*side, strict=True)
    )
    assert fit_as_euclidean(visible, infrared).offset == pytest.approx(2 * needed)
    tame = [(x, (x**2).sum(1) + 1.0) for x, _ in (visible, infrared)]
    assert fit_as_euclidean(*tame).offset == 0.0


def test_rows_beyond_the_offset_are_counted():
    x = np.array([[3.0, 0.0], [1.0, 0.0], [0.0, 2.0]])  # |X|^2 of 9, 1 and 4
    rows, clipped = EuclideanMap(2.0).visible(x, np.zeros(3))
    assert clipped == 2
    np.testing.assert_allclose(rows, [[3, 0, 0, 0], [1, 0, 1, 0], [0, 2, 0, 0]])


def test_jitted_jax_arrays_give_the_same_rows_and_order():
    visible, infrared = sides(1)
    fitted = fit_as_euclidean(visible, infrared)
    exact = [fitted.visible(*visible)[0], fitted.infrared(*infrared)[0]]
    both = jax.jit(lambda v, t: (fitted.visible(*v), fitted.infrared(*t)))
    (e_x, _), (e_z, lost) = both(*jax.tree.map(jnp.float32, (visible, infrared)))
    assert int(lost) == 0
    for found, expected in zip((e_x, e_z), exact, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)
    order = squared_distances(np.asarray(e_x), np.asarray(e_z)).argsort(1)
    assert np.array_equal(order, bilinear(visible, infrared).argsort(1))
