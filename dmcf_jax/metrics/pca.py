"""Principal components: the directions in which rows differ most."""

import dataclasses

import numpy as np
import scipy.linalg
from jaxtyping import Float

from dmcf_jax.errors import UserError

_BLOCK = 2048  # rows or columns that are float64 at a time


@dataclasses.dataclass(frozen=True)
class Pca:
    """A fitted projection.

    Attributes:
        mean: of the rows it was fitted on, float64.
        axes: orthonormal columns, float64, in order of falling variance. Of each, the entry of
            largest magnitude is positive, so that equal rows give equal axes.
    """

    mean: Float[np.ndarray, " d"]
    axes: Float[np.ndarray, "d k"]

    def project(self, rows: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n k"]:
        """Return the coordinates of rows on the axes, float64."""
        return (rows - self.mean) @ self.axes


def fit_pca(rows: Float[np.ndarray, "n d"], components: int, fewer: bool = False) -> Pca:
    """Return the mean and the `components` axes of largest variance.

    The smaller of two matrices is decomposed: n x n where rows are longer than many (LOMO has
    26,960 values), d x d otherwise.

    Args:
        rows: of any float type; they are float64 in blocks only.
        components: from 1 to the rank of the centred rows.
        fewer: give as many axes as there are where the rows have fewer than asked for.

    Raises:
        UserError: the rows have fewer independent directions than asked for, or none.
    """
    n, d = rows.shape
    components = min(components, n - 1, d) if fewer else components
    _check(components, min(n - 1, d))
    mean = rows.mean(axis=0, dtype=np.float64)
    few = n < d
    matrix = _inner_products(rows, mean) if few else _scatter(rows, mean)
    order = [len(matrix) - components, len(matrix) - 1]
    values, vectors = scipy.linalg.eigh(matrix, subset_by_index=order)
    rank = int(np.sum(values > values[-1] * max(n, d) * np.finfo(np.float64).eps))
    components = min(components, rank) if fewer else components
    _check(components, rank)
    values, vectors = values[-components:], vectors[:, -components:]
    axes = _from_inner(rows, mean, values, vectors) if few else vectors
    axes = axes[:, ::-1]
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=0)[None], axis=0)
    return Pca(mean, axes * np.sign(largest))


def _check(components: int, most: int) -> None:
    if not 1 <= components <= most:
        raise UserError(
            f"{components} principal components were asked for, but the training rows differ in "
            f"{most} directions: ask for 1 to {most}, or fit on more images",
            about="components",
        )


def _inner_products(
    rows: Float[np.ndarray, "n d"], mean: Float[np.ndarray, " d"]
) -> Float[np.ndarray, "n n"]:
    total = np.zeros((len(rows), len(rows)))
    for start in range(0, rows.shape[1], _BLOCK):
        columns = slice(start, start + _BLOCK)
        centred = rows[:, columns] - mean[columns]
        total += centred @ centred.T
    return total


def _scatter(
    rows: Float[np.ndarray, "n d"], mean: Float[np.ndarray, " d"]
) -> Float[np.ndarray, "d d"]:
    total = np.zeros((rows.shape[1], rows.shape[1]))
    for start in range(0, len(rows), _BLOCK):
        centred = rows[start : start + _BLOCK] - mean
        total += centred.T @ centred
    return total


def _from_inner(
    rows: Float[np.ndarray, "n d"],
    mean: Float[np.ndarray, " d"],
    values: Float[np.ndarray, " k"],
    vectors: Float[np.ndarray, "n k"],
) -> Float[np.ndarray, "d k"]:
    """Return eigenvectors of C^T C from those of C C^T, C the centred rows."""
    scaled = vectors / np.sqrt(values)
    starts = range(0, rows.shape[1], _BLOCK)
    parts = (slice(start, start + _BLOCK) for start in starts)
    return np.concatenate([(rows[:, part] - mean[part]).T @ scaled for part in parts])
