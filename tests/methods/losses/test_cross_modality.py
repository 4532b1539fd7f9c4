"""Distances across modalities against loops, and their gradients where rows are equal."""

import jax
import jax.numpy as jnp
import numpy as np

from dmcf_jax.methods.losses.cross_modality import (
    cross_distances,
    hardest_across,
    mean_of,
    row_distances,
)


def test_distances_equal_a_loop():
    draw = np.random.default_rng(0)
    x, z = draw.normal(size=(4, 3)), draw.normal(size=(5, 3))
    expected = [[np.linalg.norm(a - b) for b in z] for a in x]
    both = jnp.asarray(x, jnp.float32), jnp.asarray(z, jnp.float32)
    np.testing.assert_allclose(cross_distances(*both), expected, rtol=1e-5)
    np.testing.assert_allclose(
        row_distances(both[0], both[1][:4]), np.diag(np.array(expected)), rtol=1e-5
    )


def test_equal_rows_have_distance_and_gradient_zero():
    rows = jnp.array([[3.0, 4.0], [0.0, 0.0]])
    for distances in (cross_distances, row_distances):
        total = jax.jit(jax.grad(lambda r, d=distances: jnp.sum(d(r, rows))))(rows)
        assert np.isfinite(total).all()
    assert row_distances(rows, rows).tolist() == [0, 0]
    assert np.diag(cross_distances(rows, rows)).tolist() == [0, 0]


def test_hardest_rows_by_hand():
    distances = jnp.array([[1.0, 5.0, 2.0, 4.0], [3.0, 1.0, 2.0, 9.0], [1.0, 2.0, 3.0, 4.0]])
    same = jnp.array([[1, 1, 0, 0], [0, 1, 1, 0], [1, 1, 1, 1]], bool)
    farthest, nearest, counted = hardest_across(distances, same)
    assert farthest.tolist() == [1, 2, 3]
    assert nearest.tolist()[:2] == [2, 0]
    assert counted.tolist() == [True, True, False]
    assert float(mean_of(jnp.array([1.0, 4.0, 9.0]), counted)) == 2.5
    assert float(mean_of(jnp.array([1.0]), jnp.array([False]))) == 0.0
