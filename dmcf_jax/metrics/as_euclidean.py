"""Embeddings whose Euclidean distance ranks as a bilinear distance between two modalities does.

A learned distance between a visible image x and an infrared image z is often

    D(x, z) = a(x) + b(z) - 2 X(x) . Z(z),

which need not be positive (XQDA, GSM). With a constant c that is large enough, the rows

    e(x) = [X, sqrt(c - |X|^2 + a), 0]    e(z) = [Z, 0, sqrt(c - |Z|^2 + b)]

have |e(x) - e(z)|^2 = D(x, z) + 2 c exactly: ranking, search and figures need vectors only.
Distances between two rows of one modality mean nothing.

The functions take NumPy and jax arrays and return what they were given.
"""

import dataclasses
from typing import Any

from jaxtyping import Float

MARGIN = 2.0  # test rows may reach beyond the rows of training


@dataclasses.dataclass(frozen=True)
class EuclideanMap:
    """The map, of one constant.

    Attributes:
        offset: the c above, in units of the distance.
    """

    offset: float

    def visible(
        self, cross: Float[Any, "n d"], square: Float[Any, " n"]
    ) -> tuple[Float[Any, "n e"], Any]:
        """Return the embeddings of visible images, and how many rows are not exact.

        Args:
            cross: X of each image.
            square: a of each image.

        Returns:
            Rows with e = d + 2, and a scalar: the rows whose |X|^2 - a is above `offset`, for
            which the root is taken of 0. Their distances are too large; say so, and fit `offset`
            on rows that reach as far.
        """
        root, clipped = self._root(cross, square)
        return _joined(cross, root, 0 * root), clipped

    def infrared(
        self, cross: Float[Any, "n d"], square: Float[Any, " n"]
    ) -> tuple[Float[Any, "n e"], Any]:
        """Return the embeddings of infrared images, from Z and b, as `visible` does."""
        root, clipped = self._root(cross, square)
        return _joined(cross, 0 * root, root), clipped

    def _root(self, cross, square):
        rest = self.offset - excess(cross, square)
        return rest.clip(0.0) ** 0.5, (rest < 0.0).sum()


def excess(cross: Float[Any, "n d"], square: Float[Any, " n"]) -> Float[Any, " n"]:
    """Return |X|^2 - a of each row: the smallest offset with which it is mapped exactly."""
    return (cross**2).sum(-1) - square


def fit_as_euclidean(
    visible: tuple[Float[Any, "n d"], Float[Any, " n"]],
    infrared: tuple[Float[Any, "m d"], Float[Any, " m"]],
    margin: float = MARGIN,
) -> EuclideanMap:
    """Return the map with an offset for these rows and `margin` times as much.

    Args:
        visible: X [n d] and a [n] of the visible images of training.
        infrared: Z [m d] and b [m] of the infrared ones.
        margin: factor on the offset that the rows themselves need.
    """
    needed = max(float(excess(*side).max()) for side in (visible, infrared))
    return EuclideanMap(margin * max(0.0, needed))


def _joined(cross, *columns):
    return cross.__array_namespace__().concat([cross, *(c[..., None] for c in columns)], axis=-1)
