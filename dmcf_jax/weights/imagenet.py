"""ResNets of torchvision and timm, pretrained on ImageNet, as dmcf_jax's variables."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from dmcf_jax.errors import Problem, UserError
from dmcf_jax.models.resnet import STAGES, ResNet
from dmcf_jax.runtime.console import log
from dmcf_jax.weights.misfits import Shapes, misfits
from dmcf_jax.weights.read import read_weights
from dmcf_jax.weights.torch_names import from_torch, torch_shapes

# The classifier of ImageNet's classes, and the step counter of a momentum that is not used here.
FIRST = "conv1.weight"
IGNORED = re.compile(r"fc\.(weight|bias)|.*\.num_batches_tracked")


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
    tensors = _without_prefix(read_weights(path), path)
    dtype = jnp.dtype("float32")
    model = ResNet(stage_sizes=tuple(stage_sizes), width=width, parts=parts, dtype=dtype)
    image = jax.ShapeDtypeStruct((1, 32, 32, 3), jnp.float32)
    expected = torch_shapes(
        jax.eval_shape(lambda x: model.init(jax.random.key(0), x, False), image)
    )
    used = {name: value for name, value in tensors.items() if not IGNORED.fullmatch(name)}
    _refuse_misfits(path, {name: value.shape for name, value in used.items()}, expected)
    return from_torch(used)


def _without_prefix(tensors: dict[str, Any], path: str | Path) -> dict[str, Any]:
    """Return tensors without what comes before 'conv1.' in all names, such as 'module.'."""
    starts = {name.removesuffix(FIRST) for name in tensors if name.endswith(FIRST)}
    shared = [p for p in starts if p and p.endswith(".") and f"{p}layer1.0.{FIRST}" in tensors]
    if len(shared) != 1:
        return tensors
    left = [name for name in tensors if not name.startswith(shared[0])]
    more = f"; {len(left)} tensors with other names are not used" if left else ""
    log(f"NOTE: the names in {path} begin with {shared[0]!r}, which is left out{more}.")
    cut = len(shared[0])
    return {name[cut:]: value for name, value in tensors.items() if name not in left}


def _refuse_misfits(path: str | Path, shapes: Shapes, expected: Shapes) -> None:
    blocks, expected_blocks = _blocks(shapes), _blocks(expected)
    problems = misfits(shapes, expected)
    if blocks != expected_blocks:
        text = f"it has {blocks} blocks, expected {expected_blocks}"
        problems.insert(0, Problem("model.stage_sizes", text))
    if problems:
        raise UserError.listing(
            f"{path} does not fit the network's streams:",
            problems,
            "A ResNet-50 has (3, 4, 6, 3) blocks and width 64. Name a file that fits, or change "
            "--config.model.stage_sizes and --config.model.width.",
            at_most=10,  # of a ResNet-101, 255 names do not fit
        )


def _blocks(names: Iterable[str]) -> tuple[int, ...]:
    """Return the number of blocks of each stage that a file's names show."""
    matches = [re.match(r"layer(\d)\.(\d+)\.", name) for name in names]
    found = [(int(match[1]), int(match[2])) for match in matches if match]
    stages = sorted({stage for stage, _ in found})
    return tuple(1 + max(block for at, block in found if at == stage) for stage in stages)
