"""Weights of a fresh network: one draw of normal numbers, split over the parameters.

`model.init` draws each tensor by itself, which costs XLA half a second of compilation for each;
this gives the same distributions in one draw (tests/methods/dmcf/test_network.py compares them).
"""

import math
import re
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax.random import key_data, wrap_key_data
from jax.sharding import NamedSharding
from jaxtyping import Array, Float

from dmcf_jax.models.tree_paths import leaves_by_path, path_name


def variable_shapes(model: nn.Module, size: tuple[int, int]) -> dict:
    """Return the shapes of all variables of a DMCF for images of `size`, as `model.init` would."""
    blank = jax.ShapeDtypeStruct((1, *size, 3), jnp.float32)
    return jax.eval_shape(lambda v, i: model.init(jax.random.key(0), v, i, True), blank, blank)


def draw_normals(
    shapes: dict, key: Array, sharding: NamedSharding | None = None
) -> Float[Array, " n"]:
    """Return as many standard normal numbers as the kernels of `shapes` have values.

    The numbers are the same on one device and with any `sharding`.
    """
    leaves = jax.tree_util.tree_leaves_with_path(shapes)
    total = sum(leaf.size for path, leaf in leaves if _is_kernel(path_name(path)))
    draw = jax.jit(
        lambda data: jax.random.normal(wrap_key_data(data), (total,)), out_shardings=sharding
    )
    # Key data on the host: a key on one device cannot be an input of a program of several hosts.
    return draw(np.asarray(key_data(key)))


def variables_from_normals(
    shapes: dict,
    normals: Float[Array, " n"],
    own_variables: Callable[[], dict] | None = None,
) -> dict:
    """Return variables of `shapes`: kernels from `normals` in order, the rest constant.

    Args:
        normals: of `draw_normals` for the same shapes.
        own_variables: returns a tree like `shapes` from the modules' own initialisers. It gives
            the parameters that this file has no rule for; of its result only those are computed
            under jit.

    Raises:
        ValueError: naming the parameters without a rule, where `own_variables` is not given.
    """
    paths = [path_name(path) for path, _ in jax.tree_util.tree_leaves_with_path(shapes)]
    unknown = [path for path in paths if not _is_kernel(path) and _constant_of(path) is None]
    own = {}
    if unknown:
        if own_variables is None:
            raise ValueError(f"no rule how these parameters start: {', '.join(unknown)}")
        own = leaves_by_path(own_variables())
    used = 0

    def make(path: tuple, leaf: jax.ShapeDtypeStruct) -> Array:
        nonlocal used
        name = path_name(path)
        if not _is_kernel(name):
            constant = _constant_of(name)
            return own[name] if constant is None else jnp.full(leaf.shape, constant, leaf.dtype)
        used, begin = used + leaf.size, used
        deviation = _deviation(name, leaf.shape)
        return deviation * normals[begin : begin + leaf.size].reshape(leaf.shape)

    return jax.tree_util.tree_map_with_path(make, shapes)


def as_shortcuts(variables: dict) -> dict:
    """Return `variables` with each residual block as its shortcut: the last scale is 0.

    Goyal 2017, section 5.1 (torchvision: `zero_init_residual`). At scale 1 a few images of a batch
    come to dominate the deep features of streams that learn from random weights.
    """
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: leaf * 0 if path_name(path).endswith("/bn3/scale") else leaf, variables
    )


# What a parameter that is no kernel starts with, by the last part of its path.
_CONSTANTS = {
    "scale": 1.0,
    "bias": 0.0,
    "mean": 0.0,
    "var": 1.0,
    "log_variance": 0.0,  # sigma = 1
}


# Parts that make or judge images: with few output channels, a fan-out is no scale for them.
_OF_IMAGES = re.compile(r"(^|/)(translators|discriminators_\w+)/")


def _constant_of(name: str) -> float | None:
    if name.endswith("_non_local/bn/scale"):
        return 0.0  # the block starts as the identity
    return _CONSTANTS.get(name.rpartition("/")[2])


def _is_kernel(name: str) -> bool:
    return name.endswith("/kernel")


def _deviation(name: str, shape: tuple[int, ...]) -> float:
    """Return the standard deviation of a kernel's distribution."""
    if name.endswith("/classifier/kernel") or "_non_local/" in name:
        return math.sqrt(1.0 / (3.0 * shape[0]))
    # Kaiming: over the fan-out s s o in the streams (4-D), over the fan-in elsewhere.
    in_stream = len(shape) == 4 and not _OF_IMAGES.search(name)
    fan = np.prod(shape) // shape[2] if in_stream else np.prod(shape[:-1])
    return math.sqrt(2.0 / fan)
