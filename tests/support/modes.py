"""A function as it is written and as it is compiled: XLA may fuse and round otherwise."""

import jax
import pytest

# Every primitive of an eager function is compiled on its own, which takes several times as long.
MODES = pytest.mark.parametrize(
    "mode",
    [
        pytest.param(lambda function: function, marks=pytest.mark.slow, id="eager"),
        pytest.param(jax.jit, id="jitted"),
    ],
)
