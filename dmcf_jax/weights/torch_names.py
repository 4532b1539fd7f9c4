"""PyTorch's names of our variables: one table, read in both directions.

A stream is named and shaped as torchvision does it, alone (`layer1.0.conv1.weight`) or within a
DMCF (`visible.layer1.0.conv1.weight`); heads are `heads.G1.reduction.conv.weight` and so on.
"""

import re

import jax
import numpy as np
from jaxtyping import Float

from dmcf_jax.models.tree_paths import path_name

# PyTorch keeps kernels as [o c s s], we as [s s c o]; matrices as [o c], we as [c o].
_KERNEL, _MATRIX = (2, 3, 1, 0), (1, 0)
_CONVOLUTIONS = (
    ("conv1", "conv1"),
    ("layer{stage}.{block}.conv{n}", "layer{stage}_{block}/conv{n}"),
    ("layer{stage}.{block}.downsample.0", "layer{stage}_{block}/downsample_conv"),
)
_NORMS = (
    ("bn1", "bn1"),
    ("layer{stage}.{block}.bn{n}", "layer{stage}_{block}/bn{n}"),
    ("layer{stage}.{block}.downsample.1", "layer{stage}_{block}/downsample_bn"),
)
_OF_NORM = (
    ("weight", "params", "scale"),
    ("bias", "params", "bias"),
    ("running_mean", "batch_stats", "mean"),
    ("running_var", "batch_stats", "var"),
)


def _norm(theirs, ours):
    return [
        (f"{theirs}.{leaf}", f"{collection}/{ours}/{our_leaf}", None)
        for leaf, collection, our_leaf in _OF_NORM
    ]


def _stream_rows(stream):
    dotted, slashed = (stream + mark if stream else "" for mark in "./")
    for theirs, ours in _CONVOLUTIONS:
        yield f"{dotted}{theirs}.weight", f"params/{slashed}{ours}/kernel", _KERNEL
    for theirs, ours in _NORMS:
        yield from _norm(dotted + theirs, slashed + ours)


def _head_rows(kind):
    theirs, ours = f"heads.{kind}{{n}}", f"heads_{kind}{{n}}"
    yield f"{theirs}.reduction.conv.weight", f"params/{ours}/reduction/conv/kernel", _MATRIX
    yield from _norm(f"{theirs}.reduction.bn", f"{ours}/reduction/bn")
    yield f"{theirs}.classifier.weight", f"params/{ours}/classifier/kernel", _MATRIX
    yield f"{theirs}.classifier.bias", f"params/{ours}/classifier/bias", None


# (their name, our path, order of our axes in theirs); a word in braces stands for a number.
TABLE = (
    *(row for stream in ("", "visible", "infrared", "shared") for row in _stream_rows(stream)),
    *(row for kind in "GR" for row in _head_rows(kind)),
    ("log_variance", "params/log_variance", None),
)


def _pattern(template):
    return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>\\d+)", re.escape(template)))


_TO_OURS = tuple((_pattern(theirs), ours, axes) for theirs, ours, axes in TABLE)
_TO_THEIRS = tuple((_pattern(ours), theirs, axes) for theirs, ours, axes in TABLE)


def _translate(name, rows):
    for pattern, target, axes in rows:
        match = pattern.fullmatch(name)
        if match:
            return target.format(**match.groupdict()), axes
    raise KeyError(f"the table of names has no row for {name!r}")


def from_torch(tensors: dict[str, Float[np.ndarray, "..."]]) -> dict:
    """Return the tree of variables that PyTorch's `tensors` are.

    Raises:
        KeyError: for a name that is in no row of the table.
    """
    variables: dict = {"params": {}, "batch_stats": {}}
    for name, value in tensors.items():
        target, axes = _translate(name, _TO_OURS)
        *folders, leaf = target.split("/")
        place = variables
        for folder in folders:
            place = place.setdefault(folder, {})
        place[leaf] = np.ascontiguousarray(value.transpose(axes)) if axes else value
    return variables


def to_torch(variables: dict) -> dict[str, Float[np.ndarray, "..."]]:
    """Return variables of a ResNet or a DMCF under PyTorch's names, in its layout."""
    tensors = {}
    for path, value in jax.tree_util.tree_leaves_with_path(variables):
        name, axes = _translate(path_name(path), _TO_THEIRS)
        value = np.asarray(value)
        tensors[name] = np.ascontiguousarray(value.transpose(np.argsort(axes))) if axes else value
    return tensors


def torch_shapes(shapes: dict) -> dict[str, tuple[int, ...]]:
    """Return PyTorch's name and shape of every variable of a tree of arrays or shapes."""
    found = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(shapes):
        name, axes = _translate(path_name(path), _TO_THEIRS)
        found[name] = tuple(leaf.shape[i] for i in np.argsort(axes)) if axes else leaf.shape
    return found
