"""GSM against its block matrix, its hinge against a loop, and its embedding as vectors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.finite_differences import slopes

from dmcf_jax.methods.losses.gsm import (
    bilinear_terms,
    gsm_loss,
    pair_similarity,
    similarity_hinge,
)
from dmcf_jax.models.cross_metric import lift, reach

R, N = 3, 5
OFFSET = -0.7


def made():
    """Features of both modalities and the maps [A, C, d] of each."""
    draw = np.random.default_rng(0)
    features = draw.normal(size=(2, N, R))
    maps = [(draw.normal(size=(R, R)), draw.normal(size=(R, R)), draw.normal(size=R)) for _ in "vt"]
    return features, maps


def outputs(features, maps):
    """What a linear last layer of 2 r + 1 outputs computes."""
    square, cross, linear = maps
    weights = np.concatenate([square, cross, linear[None]])
    return jnp.asarray(features @ weights.T, jnp.float32)


def block_matrix_form(f, g, maps):
    """S as [f g 1] Q [f g 1]^T."""
    (a, c_x, d), (b, c_z, e) = maps
    q = np.zeros((2 * R + 1, 2 * R + 1))
    q[:R, :R], q[R : 2 * R, R : 2 * R] = a.T @ a, b.T @ b
    q[:R, R : 2 * R] = -c_x.T @ c_z
    q[R : 2 * R, :R] = -c_z.T @ c_x
    q[:R, -1] = q[-1, :R] = d
    q[R : 2 * R, -1] = q[-1, R : 2 * R] = e
    q[-1, -1] = OFFSET
    row = np.concatenate([f, g, [1.0]])
    return row @ q @ row


def all_pairs(visible, infrared):
    """S of each visible row (rows) and each infrared row (columns)."""
    left, right = jnp.repeat(visible, N, axis=0), jnp.tile(infrared, (N, 1))
    return np.asarray(pair_similarity(left, right, OFFSET)).reshape(N, N)


def test_similarity_equals_the_block_matrix_form():
    features, maps = made()
    sides = [outputs(f, m) for f, m in zip(features, maps, strict=True)]
    expected = np.array([[block_matrix_form(f, g, maps) for g in features[1]] for f in features[0]])
    np.testing.assert_allclose(all_pairs(*sides), expected, rtol=1e-4, atol=1e-5)


def test_identity_maps_give_the_squared_distance_and_the_offset():
    features, _ = made()
    identity = np.eye(R), np.eye(R), np.zeros(R)
    sides = [outputs(f, identity) for f in features]
    expected = ((features[0][:, None] - features[1]) ** 2).sum(-1) + OFFSET
    np.testing.assert_allclose(all_pairs(*sides), expected, rtol=1e-5, atol=1e-5)


def test_its_unit_vectors_rank_as_it_does():
    features, maps = made()
    sides = [outputs(f, m) for f, m in zip(features, maps, strict=True)]
    terms = [bilinear_terms(side) for side in sides]
    radius = 2 * max(float(reach(*term).max()) for term in terms)
    names = ("visible", "infrared")
    e_x, e_z = (lift(*term, radius, name) for term, name in zip(terms, names, strict=True))
    expected = all_pairs(*sides)
    found = np.asarray(e_x) @ np.asarray(e_z).T
    np.testing.assert_allclose(-2 * radius * found + OFFSET, expected, atol=1e-3)


def literal_loss(visible, infrared, labels):
    hinges = []
    for i in range(N):
        for j in (i, i - 1):  # its own, and the one before
            (a, c, d), (b, e, f) = ((o[:R], o[R:-1], o[-1]) for o in (visible[i], infrared[j]))
            similarity = a @ a + b @ b + 2 * d + 2 * f - 2 * c @ e + OFFSET
            sign = -1 if labels[i] == labels[j] else 1
            hinges.append(max(0.0, 1 - sign * similarity))
    return np.mean(hinges)


@pytest.mark.parametrize("labels", [[0, 1, 2, 3, 4], [0, 0, 1, 1, 2]])
def test_loss_and_gradient_equal_a_literal_loop(labels):
    visible, infrared = np.random.default_rng(1).normal(size=(2, N, 2 * R + 1))
    sides = [jnp.asarray(side, jnp.float32) for side in (visible, infrared)]
    loss = jax.jit(
        jax.value_and_grad(lambda v, t: gsm_loss(v, t, jnp.array(labels), OFFSET), (0, 1))
    )
    value, gradients = loss(*sides)
    assert float(value) == pytest.approx(literal_loss(visible, infrared, labels), rel=1e-5)
    expected = (
        slopes(lambda v: literal_loss(v, infrared, labels), visible),
        slopes(lambda t: literal_loss(visible, t, labels), infrared),
    )
    for one, other in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_hinge_by_hand():
    similarities, same = jnp.array([-2.0, 0.5, 3.0, 0.5]), jnp.array([True, True, False, False])
    assert float(similarity_hinge(similarities, same)) == (0 + 1.5 + 0 + 0.5) / 4
