"""Weights of a fresh network: one draw of normal numbers, cut to the shapes of the parameters.

`model.init` draws each tensor by itself, which costs XLA half a second of compilation for each;
this gives the same distributions in one draw (held against each other in
`tests/test_initial.py`).
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax.random import key_data, wrap_key_data
from jax.sharding import NamedSharding
from jaxtyping import Array, Float

from dmcf_jax.models.tree_paths import path_name


def variable_shapes(model: nn.Module, size: tuple[int, int]) -> dict:
    """Return the shapes of all variables of a DMCF for images of `size`, as `model.init` would."""
    blank = jax.ShapeDtypeStruct((1, *size, 3), jnp.float32)
    return jax.eval_shape(lambda v, i: model.init(jax.random.key(0), v, i, True), blank, blank)


def draw_normals(
    shapes: dict, key: Array, sharding: NamedSharding | None = None
) -> Float[Array, " n"]:
    """Return as many standard normal numbers as the kernels of `shapes` have values.

    They are the same wherever they are drawn: on one device, or as `sharding` says.
    """
    leaves = jax.tree_util.tree_leaves_with_path(shapes)
    total = sum(leaf.size for path, leaf in leaves if _deviation(path, leaf.shape))
    draw = jax.jit(
        lambda data: jax.random.normal(wrap_key_data(data), (total,)), out_shardings=sharding
    )
    # Numbers on the host, since a key that lies on one device is no input of several hosts.
    return draw(np.asarray(key_data(key)))


def cut(shapes: dict, normals: Float[Array, " n"]) -> dict:
    """Return variables of `shapes`: kernels from `normals` in order, the rest constant."""
    start = 0

    def make(path, leaf):
        nonlocal start
        deviation = _deviation(path, leaf.shape)
        if not deviation:
            ones = path_name(path).endswith(("/scale", "/var"))
            return jnp.full(leaf.shape, float(ones), leaf.dtype)
        start, begin = start + leaf.size, start
        return deviation * normals[begin : begin + leaf.size].reshape(leaf.shape)

    return jax.tree_util.tree_map_with_path(make, shapes)


def _deviation(path, shape) -> float:
    """Return the standard deviation of a parameter's distribution, 0 for what starts constant."""
    name = path_name(path)
    if name.endswith("/classifier/kernel"):
        return math.sqrt(1.0 / (3.0 * shape[0]))
    if not name.endswith("/kernel"):
        return 0.0
    # Kaiming: over the fan-out s s o in the streams (4-D), over the fan-in in reductions (2-D).
    fan = np.prod(shape) // shape[2] if len(shape) == 4 else shape[0]
    return math.sqrt(2.0 / fan)
