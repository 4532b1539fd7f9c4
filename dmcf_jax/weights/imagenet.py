"""Backbones of torchvision and timm, pretrained on ImageNet, as dmcf_jax's variables."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from dmcf_jax.errors import Problem, UserError
from dmcf_jax.models.alexnet import AlexNet
from dmcf_jax.models.resnet import STAGES, ResNet
from dmcf_jax.runtime.console import log
from dmcf_jax.weights.misfits import Shapes, misfits
from dmcf_jax.weights.read import read_weights
from dmcf_jax.weights.torch_names import from_torch, torch_shapes

# Names that show what comes before all others of a file, such as 'module.'.
_FIRST = {
    "resnet": ("conv1.weight", "layer1.0.conv1.weight"),
    "alexnet": ("features.0.weight", "features.3.weight"),
}
# Classifiers, and the step counter of a momentum that is not used here.
_IGNORED = {
    "resnet": re.compile(r"fc\.(weight|bias)|.*\.num_batches_tracked"),
    "alexnet": re.compile(r"classifier\.[46]\.(weight|bias)"),
}


def load_resnet(
    path: str | Path,
    stage_sizes: tuple[int, ...] = (3, 4, 6, 3),
    width: int = 64,
    parts: tuple[str, ...] = STAGES,
) -> dict:
    """Return the variables of a `ResNet`, by default of a ResNet-50, read from a file.

    Args:
        path: a ResNet of torchvision or timm, see `read_weights`. Its classifier is ignored.
        stage_sizes, width, parts: of the `ResNet`; `parts` begins with the stem.

    Returns:
        {'params': ..., 'batch_stats': ...}, float32 NumPy arrays.

    Raises:
        UserError: the file cannot be read, or lists all missing, unknown and wrongly shaped
            tensors.
    """
    tensors = _read(path, "resnet")
    dtype = jnp.dtype("float32")
    model = ResNet(stage_sizes=tuple(stage_sizes), width=width, parts=parts, dtype=dtype)
    expected = _shapes_of(model, 32)
    shapes = {name: value.shape for name, value in tensors.items()}
    problems = misfits(shapes, expected)
    if _blocks(shapes) != _blocks(expected):
        text = f"it has {_blocks(shapes)} blocks, expected {_blocks(expected)}"
        problems.insert(0, Problem("model.stage_sizes", text))
    _refuse(
        path,
        problems,
        "A ResNet-50 has (3, 4, 6, 3) blocks and width 64. Name a file that fits, or change "
        "--config.model.stage_sizes and --config.model.width.",
    )
    return from_torch(tensors)


def load_alexnet(path: str | Path, width: int = 64) -> dict:
    """Return the variables of a complete `AlexNet` with its first linear layer, read from a file.

    Args:
        path: an AlexNet of torchvision, see `read_weights`. Its other linear layers are ignored.
        width: channels of the first convolution.

    Returns:
        {'params': ..., 'batch_stats': {}}, float32 NumPy arrays.

    Raises:
        UserError: as `load_resnet`.
    """
    tensors = _read(path, "alexnet")
    expected = _shapes_of(AlexNet(width, fc6=True), 64)
    theirs = {name: shape for name, shape in expected.items() if not name.startswith("fc6_bn")}
    problems = misfits({name: value.shape for name, value in tensors.items()}, theirs)
    _refuse(
        path,
        problems,
        "torchvision's AlexNet has width 64. Name a file that fits, or change "
        "--config.model.backbone and --config.model.width.",
    )
    return from_torch(tensors)


def _read(path: str | Path, backbone: str) -> dict[str, Any]:
    tensors = _without_prefix(read_weights(path), path, backbone)
    ignored = _IGNORED[backbone]
    return {name: value for name, value in tensors.items() if not ignored.fullmatch(name)}


def _shapes_of(model: nn.Module, side: int) -> Shapes:
    """Return PyTorch's names and shapes of a network for square images."""
    image = jax.ShapeDtypeStruct((1, side, side, 3), jnp.float32)
    return torch_shapes(jax.eval_shape(lambda x: model.init(jax.random.key(0), x, False), image))


def _without_prefix(
    tensors: dict[str, Any], path: str | Path, backbone: str = "resnet"
) -> dict[str, Any]:
    """Return tensors without what comes before two of the network's names in all names."""
    first, second = _FIRST[backbone]
    starts = {name.removesuffix(first) for name in tensors if name.endswith(first)}
    shared = [p for p in starts if p and p.endswith(".") and f"{p}{second}" in tensors]
    if len(shared) != 1:
        return tensors
    left = [name for name in tensors if not name.startswith(shared[0])]
    more = f"; {len(left)} tensors with other names are not used" if left else ""
    log(f"NOTE: the names in {path} begin with {shared[0]!r}, which is left out{more}.")
    cut = len(shared[0])
    return {name[cut:]: value for name, value in tensors.items() if name not in left}


def _refuse(path: str | Path, problems: list[Problem], cure: str) -> None:
    """Refuse a file with problems; of a ResNet-101, 255 names do not fit."""
    if problems:
        raise UserError.listing(
            f"{path} does not fit the network's streams:", problems, cure, at_most=10
        )


def _blocks(names: Iterable[str]) -> tuple[int, ...]:
    """Return the number of blocks of each stage that a file's names show."""
    matches = [re.match(r"layer(\d)\.(\d+)\.", name) for name in names]
    found = [(int(match[1]), int(match[2])) for match in matches if match]
    stages = sorted({stage for stage, _ in found})
    return tuple(1 + max(block for at, block in found if at == stage) for stage in stages)
