"""Principal components compared with scikit-learn's, on long and on short rows."""

import numpy as np
import pytest

from dmcf_jax.errors import UserError
from dmcf_jax.metrics import pca

SHAPES = pytest.mark.parametrize("shape", [(30, 7), (9, 40)], ids=["many rows", "long rows"])


def made(shape):
    draw = np.random.default_rng(0)
    return draw.normal(size=shape) @ np.diag(np.linspace(3, 1, shape[1])) + draw.normal(size=1)


@SHAPES
def test_it_equals_scikit_learn_up_to_sign(shape, monkeypatch):
    decomposition = pytest.importorskip("sklearn.decomposition")
    monkeypatch.setattr(pca, "_BLOCK", 4)  # several blocks, the last one not full
    rows = made(shape)
    expected = decomposition.PCA(5, svd_solver="full").fit(rows)
    found = pca.fit_pca(rows, 5)
    signs = np.sign((found.axes * expected.components_.T).sum(0))
    np.testing.assert_allclose(found.axes * signs, expected.components_.T, atol=1e-10)
    np.testing.assert_allclose(
        found.project(rows[:3]) * signs, expected.transform(rows[:3]), atol=1e-10
    )


@SHAPES
def test_axes_are_orthonormal_and_coordinates_without_mean(shape):
    rows = made(shape).astype(np.float32)
    found = pca.fit_pca(rows, 6)
    np.testing.assert_allclose(found.axes.T @ found.axes, np.eye(6), atol=1e-10)
    coordinates = found.project(rows)
    np.testing.assert_allclose(coordinates.mean(0), 0, atol=1e-6)
    variances = coordinates.var(0)
    assert (np.diff(variances) <= 0).all()
    assert (np.take_along_axis(found.axes, np.abs(found.axes).argmax(0)[None], 0) > 0).all()


@pytest.mark.parametrize("components", [0, 7, 8])
def test_more_components_than_directions_are_refused(components):
    rows = made((20, 7))
    rows[:, 6] = rows[:, 5]  # six independent directions
    assert pca.fit_pca(rows, 6).axes.shape == (7, 6)
    with pytest.raises(UserError) as caught:
        pca.fit_pca(rows, components)
    assert caught.value.about == ("components",)
