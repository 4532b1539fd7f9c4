"""HCML: its objective against loops, its gradients by finite differences, its relation to MLAPG."""

import numpy as np
import pytest
from support.finite_differences import slopes

from dmcf_jax.errors import UserError
from dmcf_jax.metrics.hcml import fit_hcml, objective
from dmcf_jax.metrics.mlapg import fit_mlapg


def people(d=4, seed=0):
    """Five people, of whom each modality sees some more often; infrared is turned and scaled."""
    draw = np.random.default_rng(seed)
    labels = np.array([0, 0, 1, 1, 2, 2, 3, 3, 4]), np.array([4, 3, 2, 2, 1, 0, 0, 0, 3, 1])
    centres = draw.normal(size=(5, d))
    turn = np.eye(d) + 0.3 * draw.normal(size=(d, d))
    visible = centres[labels[0]] + 0.2 * draw.normal(size=(len(labels[0]), d))
    infrared = (centres[labels[1]] + 0.2 * draw.normal(size=(len(labels[1]), d))) @ turn
    return visible, infrared, *labels


def literal_objective(x, z, labels_x, labels_z, transforms, metric):
    names = range(5)
    means = [
        np.array([rows[labels == k].mean(0) for k in names])
        for rows, labels in ((x, labels_x), (z, labels_z))
    ]
    start = np.mean([((a - b) ** 2).sum() for a in means[0] for b in means[1]])
    own, other = [], []
    for i in names:
        for j in names:
            gap = means[0][i] @ transforms[0] - means[1][j] @ transforms[1]
            distance = gap @ metric @ gap - start
            if i == j:
                own.append(np.log(1 + np.exp(distance)))
            else:
                other.append(np.log(1 + np.exp(-distance)))
    total = np.mean(own) + np.mean(other)
    for rows, labels, centres, transform in zip(
        (x, z), (labels_x, labels_z), means, transforms, strict=True
    ):
        moved = [(row - centres[k]) @ transform for row, k in zip(rows, labels, strict=True)]
        total += 0.2 * np.mean([np.log(1 + np.exp(m @ m)) for m in moved])
    return total


def a_place():
    draw = np.random.default_rng(1)
    root = draw.normal(size=(4, 4))
    return (draw.normal(size=(4, 4)), draw.normal(size=(4, 4))), root @ root.T


def test_objective_equals_a_literal_loop():
    found = objective(*people()).value(*a_place())
    assert found == pytest.approx(literal_objective(*people(), *a_place()))


@pytest.mark.parametrize("side", [0, 1])
def test_gradients_equal_finite_differences(side):
    transforms, metric = a_place()
    found = objective(*people()).gradients(transforms, metric)[side]

    def value(moved):
        both = [moved if place == side else transforms[place] for place in (0, 1)]
        return literal_objective(*people(), both, metric)

    expected = slopes(value, transforms[side])
    np.testing.assert_allclose(found, expected, atol=1e-7)


def test_the_objective_falls():
    fitted = fit_hcml(*people(), iterations=30)
    eyes = np.eye(4), np.eye(4)
    start = literal_objective(*people(), eyes, np.eye(4))
    end = literal_objective(*people(), fitted.transforms, fitted.metric)
    assert end < 0.8 * start
    frozen = fit_hcml(*people(), iterations=30, rate=0.0)
    assert end < literal_objective(*people(), frozen.transforms, frozen.metric)


def test_without_transforms_it_is_mlapg_on_means():
    frozen = fit_hcml(*people(), rate=0.0, iterations=50, tolerance=1e-6)
    expected = fit_mlapg(*people(), pairs="means", iterations=50, tolerance=1e-6)
    np.testing.assert_allclose(frozen.metric, expected.metric)
    np.testing.assert_allclose(frozen.visible, expected.projection)
    assert frozen.losses == pytest.approx(expected.losses)
    assert frozen.converged == expected.converged


def test_turning_both_inputs_turns_the_transforms_and_leaves_distances():
    x, z, *labels = people()
    turn = np.linalg.qr(np.random.default_rng(5).normal(size=(4, 4)))[0]
    plain = fit_hcml(x, z, *labels, iterations=20)
    turned = fit_hcml(x @ turn, z @ turn, *labels, iterations=20)
    for one, other in zip(plain.transforms, turned.transforms, strict=True):
        np.testing.assert_allclose(turn.T @ one @ turn, other, atol=1e-8)
    ends = (
        [x @ plain.visible, z @ plain.infrared],
        [
            x @ turn @ turned.visible,
            z @ turn @ turned.infrared,
        ],
    )
    distances = [((a[:, None] - b[None]) ** 2).sum(-1) for a, b in ends]
    np.testing.assert_allclose(*distances, atol=1e-8)


def test_maps_are_the_transforms_times_a_root_of_the_metric():
    fitted = fit_hcml(*people(), iterations=10)
    gram = fitted.visible @ fitted.infrared.T
    expected = fitted.transforms[0] @ fitted.metric @ fitted.transforms[1].T
    np.testing.assert_allclose(gram, expected, atol=1e-10)


def test_maps_that_grow_without_end_are_refused():
    with pytest.raises(UserError) as caught:
        fit_hcml(*people(), rate=1e200)
    assert caught.value.about == ("rate",)
