"""BDTR's ranking losses against a literal double loop, value and gradient, and by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.finite_differences import slopes

from dmcf_jax.methods.losses.bdtr import bidirectional_ranking

LABELS = pytest.mark.parametrize(
    "labels", [np.arange(5), np.repeat([4, 7, 9], 2)], ids=["one image", "two images"]
)
MARGINS = 0.5, 1.5  # the second wide enough that some intra terms count


def literal(visible, infrared, labels, margin, intra_margin):
    cross = intra = 0.0
    for anchors, candidates in ((visible, infrared), (infrared, visible)):
        anchors, candidates = (
            [row / np.sqrt((row**2).sum()) for row in rows] for rows in (anchors, candidates)
        )
        for i, anchor in enumerate(anchors):
            own, other = [], []
            for j, candidate in enumerate(candidates):
                distance = np.sqrt(((anchor - candidate) ** 2).sum())
                (own if labels[i] == labels[j] else other).append((distance, j))
            (far, p), (near, n) = max(own), min(other)
            between = np.sqrt(((candidates[p] - candidates[n]) ** 2).sum())
            cross += max(0.0, far - near + margin) / len(anchors)
            intra += max(0.0, intra_margin - between) / len(anchors)
    return np.array([cross, intra])


def rows(labels, seed=0):
    draw = np.random.default_rng(seed)
    return list(2 * draw.normal(size=(2, len(labels), 3)))


@jax.jit
def compiled(visible, infrared, labels):
    """Both terms, and the gradients of each in turn."""
    terms, pull = jax.vjp(lambda *v: bidirectional_ranking(*v, labels, *MARGINS), visible, infrared)
    return (
        jnp.stack(terms),
        pull((jnp.ones(()), jnp.zeros(()))),
        pull((jnp.zeros(()), jnp.ones(()))),
    )


def found(visible, infrared, labels):
    sides = jnp.asarray(visible, jnp.float32), jnp.asarray(infrared, jnp.float32)
    return jax.tree.map(np.array, compiled(*sides, jnp.asarray(labels)))


@LABELS
@pytest.mark.parametrize("seed", range(3))
def test_values_equal_a_literal_double_loop(labels, seed):
    expected = literal(*rows(labels, seed), labels, *MARGINS)
    assert (expected > 0).all()
    np.testing.assert_allclose(found(*rows(labels, seed), labels)[0], expected, rtol=1e-5)


@LABELS
@pytest.mark.parametrize("term", [0, 1], ids=["cross", "intra"])
def test_gradients_equal_finite_differences(labels, term):
    visible, infrared = rows(labels)
    gradients = found(visible, infrared, labels)[1 + term]
    expected = (
        slopes(lambda v: literal(v, infrared, labels, *MARGINS)[term], visible),
        slopes(lambda t: literal(visible, t, labels, *MARGINS)[term], infrared),
    )
    for one, other in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_people_at_right_angles_by_hand():
    # Own distances are 0 and others the root of 2: beyond the first margin, within the second.
    rows = np.eye(5)
    expected = [0, 2 * (1.5 - np.sqrt(2))]
    np.testing.assert_allclose(found(rows, rows, np.arange(5))[0], expected, rtol=1e-5)


@LABELS
def test_order_of_people_and_of_modalities_changes_nothing(labels):
    visible, infrared = rows(labels)
    expected = found(visible, infrared, labels)[0]
    order = np.random.default_rng(1).permutation(len(labels))
    moved = found(visible[order], infrared[order], labels[order])[0]
    np.testing.assert_allclose(moved, expected, rtol=1e-5)
    np.testing.assert_allclose(found(infrared, visible, labels)[0], expected, rtol=1e-5)


@pytest.mark.parametrize("row", [0.0, 1.0])
def test_one_person_costs_nothing_and_equal_rows_are_finite(row):
    equal = np.full((5, 3), row)
    assert found(equal, equal, np.zeros(5, int))[0].tolist() == [0, 0]
    values = found(equal, equal, np.arange(5))
    np.testing.assert_allclose(values[0], [2 * 0.5, 2 * 1.5], atol=1e-5)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(values))
