"""PyTorch's names of dmcf_jax's variables: one table, read in both directions.

A stream is named and shaped as in torchvision, alone (`layer1.0.conv1.weight`) or within a DMCF
(`visible.layer1.0.conv1.weight`); heads are `heads.G1.reduction.conv.weight` and so on. AlexNet's
batch norm, which torchvision's has not, is `fc6_bn`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

import jax
import numpy as np
from jaxtyping import Float

from dmcf_jax.models.tree_paths import path_name

# (PyTorch's name, path in dmcf_jax, order of dmcf_jax's axes in PyTorch or None)
Row = tuple[str, str, tuple[int, ...] | None]

# Kernels are [o c s s] in PyTorch and [s s c o] here; matrices [o c] there and [c o] here.
_KERNEL, _MATRIX = (2, 3, 1, 0), (1, 0)
_CONVOLUTIONS = (
    ("conv1", "conv1"),
    ("layer{stage}.{block}.conv{n}", "layer{stage}_{block}/conv{n}"),
    ("layer{stage}.{block}.downsample.0", "layer{stage}_{block}/downsample_conv"),
)
# Of an AlexNet, with their biases.
_ALEXNET = (
    ("features.0", "stem_conv", _KERNEL),
    ("features.3", "layer1_conv", _KERNEL),
    ("features.6", "layer2_conv", _KERNEL),
    ("features.8", "layer3_conv", _KERNEL),
    ("features.10", "layer4_conv", _KERNEL),
    ("classifier.1", "fc6", _MATRIX),
)
_NORMS = (
    ("bn1", "bn1"),
    ("fc6_bn", "fc6_bn"),
    ("layer{stage}.{block}.bn{n}", "layer{stage}_{block}/bn{n}"),
    ("layer{stage}.{block}.downsample.1", "layer{stage}_{block}/downsample_bn"),
)
_NON_LOCAL = "layer{stage}.{block}.non_local", "layer{stage}_{block}_non_local"
_OF_NORM = (
    ("weight", "params", "scale"),
    ("bias", "params", "bias"),
    ("running_mean", "batch_stats", "mean"),
    ("running_var", "batch_stats", "var"),
)


def _norm_rows(torch_name: str, path: str) -> list[Row]:
    return [
        (f"{torch_name}.{torch_leaf}", f"{collection}/{path}/{leaf}", None)
        for torch_leaf, collection, leaf in _OF_NORM
    ]


def _linear_rows(torch_name: str, path: str, axes: tuple[int, ...]) -> list[Row]:
    return [
        (f"{torch_name}.weight", f"params/{path}/kernel", axes),
        (f"{torch_name}.bias", f"params/{path}/bias", None),
    ]


def _stream_rows(stream: str) -> Iterator[Row]:
    dotted, slashed = (stream + mark if stream else "" for mark in "./")
    for torch_name, path in _CONVOLUTIONS:
        yield f"{dotted}{torch_name}.weight", f"params/{slashed}{path}/kernel", _KERNEL
    for torch_name, path, axes in _ALEXNET:
        yield from _linear_rows(dotted + torch_name, slashed + path, axes)
    for torch_name, path in _NORMS:
        yield from _norm_rows(dotted + torch_name, slashed + path)
    torch_name, path = dotted + _NON_LOCAL[0], slashed + _NON_LOCAL[1]
    for part in ("theta", "phi", "g", "w"):
        yield from _linear_rows(f"{torch_name}.{part}", f"{path}/{part}", _MATRIX)
    yield from _norm_rows(f"{torch_name}.bn", f"{path}/bn")


def _head_rows(kind: str) -> Iterator[Row]:
    torch_name, path = f"heads.{kind}{{n}}", f"heads_{kind}{{n}}"
    yield from _linear_rows(f"{torch_name}.reduction.conv", f"{path}/reduction/conv", _MATRIX)
    yield from _norm_rows(f"{torch_name}.reduction.bn", f"{path}/reduction/bn")
    yield from _norm_rows(f"{torch_name}.last_norm.bn", f"{path}/last_norm/bn")
    for layer in ("hidden", "classifier"):
        yield from _linear_rows(f"{torch_name}.{layer}", f"{path}/{layer}", _MATRIX)


# A word in braces is a number.
TABLE: tuple[Row, ...] = (
    *(row for stream in ("", "visible", "infrared", "shared") for row in _stream_rows(stream)),
    *(row for kind in "GR" for row in _head_rows(kind)),
    ("log_variance", "params/log_variance", None),
)


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>\\d+)", re.escape(template)))


_FROM_TORCH = tuple((_pattern(torch_name), path, axes) for torch_name, path, axes in TABLE)
_TO_TORCH = tuple((_pattern(path), torch_name, axes) for torch_name, path, axes in TABLE)


def _translate(
    name: str, rows: Sequence[tuple[re.Pattern[str], str, tuple[int, ...] | None]]
) -> tuple[str, tuple[int, ...] | None]:
    """Return the other name of a variable and the order of its axes."""
    for pattern, target, axes in rows:
        match = pattern.fullmatch(name)
        if match:
            return target.format(**match.groupdict()), axes
    raise KeyError(f"the table of names has no row for {name!r}")


def from_torch(tensors: Mapping[str, Float[np.ndarray, "..."]]) -> dict:
    """Return PyTorch's `tensors` as a tree of variables.

    Raises:
        KeyError: a name that is in no row of the table.
    """
    variables: dict = {"params": {}, "batch_stats": {}}
    for name, value in tensors.items():
        target, axes = _translate(name, _FROM_TORCH)
        *folders, leaf = target.split("/")
        branch = variables
        for folder in folders:
            branch = branch.setdefault(folder, {})
        branch[leaf] = np.ascontiguousarray(value.transpose(axes)) if axes else value
    return variables


def to_torch(variables: Mapping) -> dict[str, Float[np.ndarray, "..."]]:
    """Return variables of a ResNet or a DMCF under PyTorch's names, in its layout.

    Raises:
        KeyError: a variable that is in no row of the table.
    """
    tensors = {}
    for path, value in jax.tree_util.tree_leaves_with_path(variables):
        name, axes = _translate(path_name(path), _TO_TORCH)
        value = np.asarray(value)
        tensors[name] = np.ascontiguousarray(value.transpose(np.argsort(axes))) if axes else value
    return tensors


def torch_shapes(shapes: Mapping) -> dict[str, tuple[int, ...]]:
    """Return PyTorch's name and shape of every variable of a tree of arrays or shapes.

    Raises:
        KeyError: a variable that is in no row of the table.
    """
    named = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(shapes):
        name, axes = _translate(path_name(path), _TO_TORCH)
        named[name] = tuple(leaf.shape[i] for i in np.argsort(axes)) if axes else leaf.shape
    return named
