"""The loss of all pairs against a loop over pairs, in one tile and in many."""

import numpy as np
import pytest
from support.finite_differences import slopes

from dmcf_jax.errors import UserError
from dmcf_jax.metrics.pairs import PairLoss, count_pairs, identity_means, mean_distance

LABELS = np.array([3, 3, 5, 8, 5]), np.array([5, 3, 3, 9, 8, 3])


def rows(d=4):
    draw = np.random.default_rng(0)
    return draw.normal(size=(5, d)), draw.normal(size=(6, d))


def symmetric(d=4):
    matrix = np.random.default_rng(1).normal(size=(d, d))
    return matrix + matrix.T  # not positive


def literal(x, z, metric, threshold):
    own, other = [], []
    for i in range(len(x)):
        for j in range(len(z)):
            gap = (x[i] - z[j]) @ metric @ (x[i] - z[j]) - threshold
            if LABELS[0][i] == LABELS[1][j]:
                own.append(np.log(1 + np.exp(gap)))
            else:
                other.append(np.log(1 + np.exp(-gap)))
    return np.mean(own) + np.mean(other)


@pytest.mark.parametrize("block", [2, 4, 100])
def test_value_equals_a_loop_over_pairs_in_tiles_of_any_size(block):
    x, z = rows()
    loss = PairLoss(*LABELS, 1.5, block)
    assert loss.value(x, z, symmetric()) == pytest.approx(literal(x, z, symmetric(), 1.5))


def test_tiles_change_forces_by_rounding_only():
    x, z = rows()
    whole = PairLoss(*LABELS, 1.5).value_and_forces(x, z, symmetric())
    tiles = PairLoss(*LABELS, 1.5, 2).value_and_forces(x, z, symmetric())
    for one, other in zip(whole, tiles, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)


def test_forces_give_the_gradients_of_rows_and_metric():
    x, z = rows()
    metric, loss = symmetric(), PairLoss(*LABELS, 1.5)
    value, on_x, on_z = loss.value_and_forces(x, z, metric)
    assert value == pytest.approx(loss.value(x, z, metric))
    of_x = slopes(lambda a: literal(a, z, metric, 1.5), x)
    of_z = slopes(lambda a: literal(x, a, metric, 1.5), z)
    of_metric = slopes(lambda m: literal(x, z, m, 1.5), metric)
    np.testing.assert_allclose(2 * on_x @ metric, of_x, atol=1e-8)
    np.testing.assert_allclose(2 * on_z @ metric, of_z, atol=1e-8)
    np.testing.assert_allclose(x.T @ on_x + z.T @ on_z, of_metric, atol=1e-8)


def test_far_pairs_do_not_overflow():
    x, z = rows()
    value, *forces = PairLoss(*LABELS, 0.0).value_and_forces(x, z, 1e6 * np.eye(4))
    assert np.isfinite(value) and all(np.isfinite(force).all() for force in forces)


def test_mean_distance_and_means_of_people():
    x, z = rows()
    distances = [((a - b) ** 2).sum() for a in x for b in z]
    assert mean_distance(x, z) == pytest.approx(np.mean(distances))
    means, people = identity_means(x, LABELS[0])
    assert people.tolist() == [3, 5, 8]
    np.testing.assert_allclose(means, [(x[0] + x[1]) / 2, (x[2] + x[4]) / 2, x[3]])


def test_pairs_of_both_kinds_are_needed():
    assert count_pairs(*LABELS) == (2 * 3 + 2 * 1 + 1, 30 - 9)
    for labels in (np.zeros(3, int), np.zeros(2, int)), (np.arange(2), np.arange(2, 5)):
        with pytest.raises(UserError) as caught:
            PairLoss(*labels, 0.0)
        assert caught.value.about == ("labels",)
