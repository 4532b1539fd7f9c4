"""MLAPG: what its metric must be, and its descent against an independent one."""

import numpy as np
import pytest
from support.finite_differences import slopes

from dmcf_jax.errors import UserError
from dmcf_jax.metrics.mlapg import factor, fit_mlapg, positive_part
from dmcf_jax.metrics.pairs import identity_means


def people(count=6, images=4, d=5, noise=(0.2, 3.0), seed=0):
    """People who differ along the first axis, in rows that vary more along the others."""
    draw = np.random.default_rng(seed)
    labels = np.repeat(np.arange(count), images)
    scale = np.array([noise[0]] + [noise[1]] * (d - 1))
    sides = []
    for _ in range(2):
        rows = draw.normal(size=(len(labels), d)) * scale
        rows[:, 0] += 2.0 * labels
        sides.append(rows - rows.mean(0))
    return *sides, labels, labels


def literal_loss(metric, x, z, labels_x, labels_z):
    """The objective from its definition, with its threshold."""
    gaps = x[:, None] - z[None]
    start = (gaps**2).sum(-1)
    distances = np.einsum("ijk,kl,ijl->ij", gaps, metric, gaps) - start.mean()
    same = labels_x[:, None] == labels_z
    own, other = np.logaddexp(0, distances[same]), np.logaddexp(0, -distances[~same])
    return own.mean() + other.mean()


def test_losses_are_those_of_the_definition_and_fall():
    data = people()
    fitted = fit_mlapg(*data, iterations=40, tolerance=0.0)
    assert len(fitted.losses) == 41 and not fitted.converged
    assert fitted.losses[0] == pytest.approx(literal_loss(np.eye(5), *data))
    assert fitted.losses[-1] == pytest.approx(literal_loss(fitted.metric, *data))
    assert fitted.losses[-1] < 0.5 * fitted.losses[0]
    # Monotone but for what acceleration overshoots.
    assert max(np.diff(fitted.losses)) < 0.01 * fitted.losses[0]


def test_the_metric_is_the_best_of_all_positive_ones():
    # The gradient of the definition vanishes on the metric's range and is positive elsewhere.
    data = people(d=3, noise=(1.0, 2.0))
    fitted = fit_mlapg(*data, iterations=3000, tolerance=1e-15)
    gradient = slopes(lambda metric: literal_loss(metric, *data), fitted.metric)
    assert np.abs(gradient @ fitted.metric).max() < 1e-4
    assert np.linalg.eigvalsh(gradient + gradient.T).min() > -1e-4


def test_the_leading_axis_is_the_one_that_tells_people_apart():
    fitted = fit_mlapg(*people(), tolerance=0.01)
    assert fitted.converged and len(fitted.losses) < 300
    values, vectors = np.linalg.eigh(fitted.metric)
    assert abs(vectors[0, -1]) > 0.99
    assert np.array_equal(fitted.metric, fitted.metric.T) and values.min() > -1e-12


def test_the_projection_gives_the_distances_of_the_metric():
    x, z, *labels = people()
    fitted = fit_mlapg(x, z, *labels, iterations=5)
    np.testing.assert_allclose(fitted.projection @ fitted.projection.T, fitted.metric, atol=1e-12)
    gap = x[0] - z[3]
    assert ((gap @ fitted.projection) ** 2).sum() == pytest.approx(gap @ fitted.metric @ gap)


def test_blocks_change_nothing():
    whole, tiles = fit_mlapg(*people(), iterations=6), fit_mlapg(*people(), iterations=6, block=5)
    np.testing.assert_allclose(tiles.metric, whole.metric, rtol=1e-9, atol=1e-12)


def test_means_are_those_of_people():
    x, z, *labels = people()
    by_hand = [identity_means(x, labels[0]), identity_means(z, labels[1])]
    expected = fit_mlapg(by_hand[0][0], by_hand[1][0], by_hand[0][1], by_hand[1][1], iterations=6)
    found = fit_mlapg(x, z, *labels, pairs="means", iterations=6)
    np.testing.assert_allclose(found.metric, expected.metric)
    assert found.losses[0] != fit_mlapg(x, z, *labels, iterations=1).losses[0]


def test_positive_part_is_the_nearest_positive_matrix():
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    found = positive_part(turn @ np.diag([2.0, -1.0, 0.5]) @ turn.T)
    np.testing.assert_allclose(found, turn @ np.diag([2.0, 0.0, 0.5]) @ turn.T, atol=1e-12)
    assert factor(found).shape == (3, 2)


def test_a_metric_of_zero_and_features_that_are_no_numbers_are_refused():
    with pytest.raises(UserError) as caught:
        factor(np.zeros((3, 3)))
    assert caught.value.about == ("metric",)
    x, z, *labels = people()
    x[2, 1] = np.nan
    with pytest.raises(UserError) as caught:
        fit_mlapg(x, z, *labels)
    assert caught.value.about == ("features",)
