"""A learned distance between a visible and an infrared row, as unit vectors that rank alike.

With y = (row - mean) times the map of its modality, the distance is

    D(x, z) = sum_k signs_k (y_k(x) - y_k(z))^2 = a(x) + b(z) - 2 X(x) . Z(z),

with a = sum signs y^2, X = signs y for visible rows, and b = sum signs y^2, Z = y for infrared
ones. The rows

    e(x) = [X, -a / 2, 1, sqrt(R - |X|^2 - a^2 / 4 - 1), 0] / sqrt(R)
    e(z) = [Z, 1, -b / 2, 0, sqrt(R - |Z|^2 - b^2 / 4 - 1)] / sqrt(R)

have unit length and the cosine -D / (2 R): evaluation, search and figures, which compare by cosine,
rank as D does, in both directions. Cosines of two rows of one modality say nothing about D.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Array, Float

from dmcf_jax.models.unit_length import unit_length

MARGIN = 2.0  # other images may reach beyond those of training


class CrossMetric(nn.Module):
    """The fitted maps as parameters; they start at zero and are not trained.

    Attributes:
        length: d of the rows.
        rank: r, the most values that y may have; unused ones stay zero.
    """

    length: int
    rank: int

    @nn.compact
    def __call__(self, rows: Float[Array, "n d"], modality: str) -> Float[Array, "n e"]:
        """Return unit vectors of e = r + 4 values; beyond the margin they are only nearly exact."""
        zeros, ones = nn.initializers.zeros, nn.initializers.ones
        mean = self.param("mean", zeros, (self.length,))
        maps = {
            name: self.param(name, zeros, (self.length, self.rank))
            for name in ("visible", "infrared")
        }
        signs = self.param("signs", ones, (self.rank,))
        radius = self.param("radius", ones, ())
        y = jnp.matmul(rows - mean, maps[modality], precision="highest")
        square = jnp.sum(signs * y**2, axis=1)
        return lift(signs * y if modality == "visible" else y, square, radius, modality)


def lift(
    cross: Float[Array, "n r"],
    square: Float[Array, " n"],
    radius: Float[Array, ""] | float,
    modality: str,
) -> Float[Array, "n e"]:
    """Return the rows e from X and a of visible, or Z and b of infrared rows; `radius` is R."""
    rest = jnp.sqrt(jnp.maximum(radius - reach(cross, square), 0.0))
    half, one, zero = -0.5 * square, jnp.ones_like(square), jnp.zeros_like(square)
    ends = [half, one, rest, zero] if modality == "visible" else [one, half, zero, rest]
    return unit_length(jnp.concatenate([cross, jnp.stack(ends, axis=1)], axis=1))


def reach(cross: Float[Any, "n r"], square: Float[Any, " n"]) -> Float[Any, " n"]:
    """Return the smallest R of each row."""
    return (cross**2).sum(axis=1) + square**2 / 4 + 1


def metric_params(
    mean: Float[np.ndarray, " d"],
    maps: dict[str, Float[np.ndarray, "d s"]],
    signs: Float[np.ndarray, " s"],
    rows: dict[str, Float[np.ndarray, "_ d"]],
    rank: int,
) -> dict[str, Float[np.ndarray, "..."]]:
    """Return the parameters of `CrossMetric`, float32, for maps of s <= `rank` values.

    The distance is scaled so that a and b are 1 on average, which changes no ranking.

    Args:
        mean: subtracted from rows.
        maps: by modality.
        signs: of each value of y, 1 or -1.
        rows: those of training by modality, to find R.
    """
    mapped = {name: (rows[name] - mean) @ maps[name] for name in maps}
    squares = {name: (signs * y**2).sum(axis=1) for name, y in mapped.items()}
    scale = 1 / max(np.mean(np.abs(np.concatenate(list(squares.values())))), 1e-30)
    need = [
        float(reach(np.sqrt(scale) * y, scale * squares[name]).max()) for name, y in mapped.items()
    ]
    unused = rank - len(signs)
    params = {
        "mean": mean,
        **{name: np.pad(np.sqrt(scale) * m, ((0, 0), (0, unused))) for name, m in maps.items()},
        "signs": np.pad(signs, (0, unused), constant_values=1),
        "radius": np.array(MARGIN * max(need)),
    }
    return {name: np.asarray(value, np.float32) for name, value in params.items()}
