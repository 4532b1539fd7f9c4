"""XQDA: covariances against the double loop over pairs, and its distance as vectors."""

import numpy as np
import pytest

from dmcf_jax.errors import UserError
from dmcf_jax.metrics.xqda import difference_covariances, fit_xqda

LABELS = np.array([0, 0, 1, 2, 2, 2]), np.array([2, 0, 1, 1, 0, 4])


def rows(d=4, shift=3.0):
    draw = np.random.default_rng(0)
    people = shift * draw.normal(size=(5, d))
    return [people[labels] + draw.normal(size=(6, d)) for labels in LABELS]


def literal_covariances(x, z):
    within, between = [], []
    for i in range(len(x)):
        for j in range(len(z)):
            gap = np.outer(x[i] - z[j], x[i] - z[j])
            (within if LABELS[0][i] == LABELS[1][j] else between).append(gap)
    return np.mean(within, 0), np.mean(between, 0)


def test_covariances_equal_the_double_loop_over_pairs():
    found = difference_covariances(*rows(), *LABELS)
    for one, other in zip(found, literal_covariances(*rows()), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)


def literal_distance(x, z, gap, ridge=1e-3):
    """The distance from the definition, by loops for the covariances."""
    within, between = literal_covariances(x, z)
    within = within + ridge * np.eye(len(within))
    left, values, _ = np.linalg.svd(np.linalg.inv(within) @ between)
    w = left[:, values > 1]
    metric = np.linalg.inv(w.T @ within @ w) - np.linalg.inv(w.T @ between @ w)
    return gap @ w @ metric @ w.T @ gap


def test_distances_equal_the_definition():
    x, z = rows()
    fitted = fit_xqda(x, z, *LABELS)
    gap = x[0] - z[2]
    found = gap @ fitted.projection @ fitted.metric @ fitted.projection.T @ gap
    assert found == pytest.approx(literal_distance(x, z, gap))


def test_long_rows_give_the_same_distances_in_the_basis_of_the_rows():
    # 40 values, 12 rows: the definition in all 40 dimensions, where the ridge fills the rest.
    x, z = rows(40)
    fitted = fit_xqda(x, z, *LABELS)
    assert fitted.projection.shape[0] == 40
    gap = x[1] - z[0]
    found = gap @ fitted.projection @ fitted.metric @ fitted.projection.T @ gap
    assert found == pytest.approx(literal_distance(x, z, gap), rel=1e-6)


def test_its_factors_have_its_distances():
    draw = np.random.default_rng(1)
    x, z = draw.normal(size=(2, 6, 4)) * [10, 1, 1, 0.1]
    x = x @ np.linalg.qr(draw.normal(size=(4, 4)))[0]
    fitted = fit_xqda(x, z, *LABELS)
    assert np.linalg.eigvalsh(fitted.metric).min() < 0  # indefinite, or it would prove little
    full = fitted.projection @ fitted.metric @ fitted.projection.T
    one_map, signs = fitted.factors()
    for i, j in [(0, 0), (3, 5), (5, 1)]:
        expected = (x[i] - z[j]) @ full @ (x[i] - z[j])
        assert (signs * ((x[i] - z[j]) @ one_map) ** 2).sum() == pytest.approx(expected)


def test_one_direction_stays_where_none_tells_people_apart():
    # Rows of one person are as far apart as any: no singular value is above 1 by much.
    x, z = rows(shift=0.0)
    assert fit_xqda(x, z, *LABELS, ridge=100.0).projection.shape == (4, 1)


def test_pairs_of_both_kinds_are_needed():
    x, z = rows()
    with pytest.raises(UserError) as caught:
        fit_xqda(x, z, np.arange(6), np.arange(6, 12))
    assert caught.value.about == ("labels",)
