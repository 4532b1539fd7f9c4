"""ImageNet weights: the ResNets of torchvision and timm as variables of ours."""

import re
from collections.abc import Iterable
from pathlib import Path

import jax
import jax.numpy as jnp

from dmcf_jax.errors import UserError
from dmcf_jax.methods.dmcf.levels import STAGES
from dmcf_jax.modality import MODALITIES
from dmcf_jax.models.resnet import ResNet
from dmcf_jax.weights.read import read_weights
from dmcf_jax.weights.torch_names import from_torch, torch_shapes

# The classifier is for ImageNet's classes, the counter for a momentum that is not used here.
IGNORED = re.compile(r"fc\.(weight|bias)|.*\.num_batches_tracked")
_SHOWN = 6  # names of each kind of problem: a ResNet-101 has 255 that we do not know


def load_resnet50(path: str | Path) -> dict:
    """Return the variables of `dmcf_jax.models.resnet.ResNet50()` read from a file.

    Args:
        path: a ResNet-50 of torchvision or timm, see `read_weights`. Its classifier is ignored.

    Returns:
        {'params': ..., 'batch_stats': ...}, float32 NumPy arrays.

    Raises:
        UserError: naming all missing, unknown and wrongly shaped tensors at once.
    """
    return load_resnet(path)


def load_resnet(
    path: str | Path,
    stage_sizes: tuple[int, ...] = (3, 4, 6, 3),
    width: int = 64,
    parts: tuple[str, ...] = STAGES,
) -> dict:
    """Return the variables of a `ResNet` of any size, as `load_resnet50` does.

    Args:
        stage_sizes, width, parts: of the `ResNet`; `parts` begins with the stem.
    """
    dtype = jnp.dtype("float32")
    model = ResNet(stage_sizes=tuple(stage_sizes), width=width, parts=parts, dtype=dtype)
    blank = jax.ShapeDtypeStruct((1, 32, 32, 3), jnp.float32)
    expected = torch_shapes(
        jax.eval_shape(lambda x: model.init(jax.random.key(0), x, False), blank)
    )
    tensors = read_weights(path)
    found = {name: value for name, value in tensors.items() if not IGNORED.fullmatch(name)}
    _compare(path, {name: value.shape for name, value in found.items()}, expected)
    return from_torch(found)


def stream_weights(shapes: dict, resnet: dict) -> dict:
    """Return the part of a DMCF's variables that comes from `resnet`: both streams, no head.

    Args:
        shapes: variables of the DMCF, or their shapes. What its modalities share is taken once.
        resnet: variables of a whole ResNet, see `load_resnet`.
    """
    return {
        collection: {
            name: {part: resnet[collection][part] for part in stream}
            for name, stream in streams.items()
            if name in (*MODALITIES, "shared")
        }
        for collection, streams in shapes.items()
    }


def _compare(path, found, expected):
    blocks, wanted = _blocks(found), _blocks(expected)
    problems = [] if blocks == wanted else [f"it has {blocks} blocks, expected {wanted}"]
    problems += _some(f"missing: {name}" for name in expected if name not in found)
    problems += _some(f"unknown: {name}" for name in found if name not in expected)
    problems += _some(
        f"wrong shape: {name} is {found[name]}, expected {shape}"
        for name, shape in expected.items()
        if name in found and found[name] != shape
    )
    if problems:
        raise UserError.listing(
            f"{path} does not fit the network's streams:",
            problems,
            "A ResNet-50 has (3, 4, 6, 3) blocks and width 64. Name a file that fits, or change "
            "--config.model.stage_sizes and --config.model.width.",
        )


def _blocks(names: Iterable[str]) -> tuple[int, ...]:
    """Return how many blocks each stage of a file has."""
    matches = [re.match(r"layer(\d)\.(\d+)\.", name) for name in names]
    found = [(int(match[1]), int(match[2])) for match in matches if match]
    stages = sorted({stage for stage, _ in found})
    return tuple(1 + max(block for at, block in found if at == stage) for stage in stages)


def _some(problems: Iterable[str]) -> list[str]:
    listed = list(problems)
    left = len(listed) - _SHOWN
    return listed if left <= 1 else [*listed[:_SHOWN], f"... and {left} more like this"]
