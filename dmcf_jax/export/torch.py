"""A run as files for PyTorch: each stream under torchvision's names, and the heads.

visible.safetensors   the stream of visible images, as torchvision's ResNet
infrared.safetensors  the stream of infrared images
heads.safetensors     heads.G1.reduction.conv.weight, ..., log_variance
"""

from pathlib import Path

import jax
import numpy as np
from safetensors import safe_open

from dmcf_jax.errors import UserError
from dmcf_jax.methods.dmcf.levels import STAGES
from dmcf_jax.methods.dmcf.network import DMCF
from dmcf_jax.modality import MODALITIES
from dmcf_jax.weights.imagenet import load_resnet
from dmcf_jax.weights.read import read_weights, write_safetensors
from dmcf_jax.weights.torch_names import from_torch, to_torch

# Metadata: parts that both modalities share; the files of both streams hold them.
SHARED = "shared_parts"


def export_torch(model: DMCF, variables: dict, folder: Path) -> None:
    """Write the three files and read both streams back against `variables`.

    Raises:
        UserError: if a file that was read back differs.
    """
    variables = jax.device_get(variables)
    shared = sorted(variables["params"].get("shared", {}))
    facts = {SHARED: " ".join(shared), "format": "pt"}
    for modality in MODALITIES:
        path = folder / f"{modality}.safetensors"
        write_safetensors(path, to_torch(one_stream(variables, modality)), facts)
        _verify(model, variables, modality, path)
    heads = {
        collection: {name: part for name, part in tree.items() if name.startswith(("heads", "log"))}
        for collection, tree in variables.items()
    }
    write_safetensors(folder / "heads.safetensors", to_torch(heads), facts)


def one_stream(variables: dict, modality: str) -> dict:
    """Return the variables of the ResNet that images of `modality` go through."""
    return {
        collection: tree.get(modality, {}) | tree.get("shared", {})
        for collection, tree in variables.items()
    }


def read_export(folder: Path) -> dict:
    """Return the variables of a DMCF from the files of `export_torch`."""
    missing = [
        name for name in (*MODALITIES, "heads") if not (folder / f"{name}.safetensors").exists()
    ]
    if missing:
        raise UserError(f"{folder} lacks {', '.join(missing)} (.safetensors). Export it again.")
    with safe_open(folder / "visible.safetensors", "np") as file:
        shared = ((file.metadata() or {}).get(SHARED) or "").split()
    variables = from_torch(read_weights(folder / "heads.safetensors"))
    for modality in MODALITIES:
        stream = from_torch(read_weights(folder / f"{modality}.safetensors"))
        for collection, parts in stream.items():
            for name, part in parts.items():
                owner = "shared" if name in shared else modality
                variables[collection].setdefault(owner, {})[name] = part
    return variables


def _verify(model, variables, modality, path):
    """Read a stream back; every number must be the same."""
    parts = STAGES[: STAGES.index(model.levels[-1]) + 1]
    back = load_resnet(path, model.stage_sizes, model.width, parts)
    same = jax.tree.map(np.array_equal, back, one_stream(variables, modality))
    if not all(jax.tree.leaves(same)):
        raise UserError(f"{path} differs from the run after writing it. Is the disk sound?")
