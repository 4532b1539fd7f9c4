"""Which cases of a parametrised test the fast tests leave out."""

from collections.abc import Iterable
from typing import Any

import jax
import pytest


def slow(values: Iterable[Any]) -> list:
    """Return cases of which others, not named here, prove the same in kind."""
    return [pytest.param(value, marks=pytest.mark.slow) for value in values]


# A function as it is written and as it is compiled: XLA may fuse and round otherwise. Every
# primitive of an eager function is compiled on its own, which takes several times as long.
MODES = pytest.mark.parametrize(
    "mode",
    [
        pytest.param(lambda function: function, marks=pytest.mark.slow, id="eager"),
        pytest.param(jax.jit, id="jitted"),
    ],
)
