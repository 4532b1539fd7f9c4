"""PyTorch export: each stream under torchvision's names, and the heads.

visible.safetensors   the stream of visible images, as torchvision's ResNet
infrared.safetensors  the stream of infrared images
heads.safetensors     heads.G1.reduction.conv.weight, ..., log_variance

The metadata of each file holds the run's thresholds of a search as JSON: 'null' if it has none.
"""

import json
from pathlib import Path

import jax
import numpy as np
from safetensors import safe_open

from dmcf_jax.errors import UserError
from dmcf_jax.modality import MODALITIES
from dmcf_jax.runs.load import TrainedModel
from dmcf_jax.weights.read import read_weights, write_safetensors
from dmcf_jax.weights.torch_names import from_torch, to_torch

FILES = (*MODALITIES, "heads")
# Metadata: names of the parts that both modalities share and that both files contain.
SHARED = "shared_parts"


def export_torch(trained: TrainedModel, path: Path) -> None:
    """Write the three files to the folder `path` and read them back.

    Raises:
        UserError: a file cannot be written, or a number that was read back differs.
    """
    variables = jax.device_get(trained.variables)
    shared = sorted(variables["params"].get("shared", {}))
    metadata = {SHARED: " ".join(shared), "format": "pt"}
    metadata["thresholds"] = json.dumps(trained.thresholds)
    parts = {modality: one_stream(variables, modality) for modality in MODALITIES}
    for name, part in (parts | {"heads": _heads(variables)}).items():
        write_safetensors(path / f"{name}.safetensors", to_torch(part), metadata)
    same = jax.tree.map(np.array_equal, read_export(path), variables)
    if not all(jax.tree.leaves(same)):
        raise UserError(
            f"verification failed: the files in {path} differ from the run. Check the disk.",
            about=str(path),
        )


def one_stream(variables: dict, modality: str) -> dict:
    """Return the variables of the ResNet that images of `modality` go through."""
    return {
        collection: tree.get(modality, {}) | tree.get("shared", {})
        for collection, tree in variables.items()
    }


def _heads(variables: dict) -> dict:
    """Return the variables that belong to no stream: heads and the levels' log variances."""
    return {
        collection: {name: part for name, part in tree.items() if name.startswith(("heads", "log"))}
        for collection, tree in variables.items()
    }


def read_export(folder: Path) -> dict:
    """Return the variables of a DMCF from the files of `export_torch`.

    Raises:
        UserError: a file is missing or damaged.
    """
    missing = [name for name in FILES if not (folder / f"{name}.safetensors").exists()]
    if missing:
        raise UserError(
            f"{folder} lacks {', '.join(missing)} (.safetensors). Export the run again.",
            about=str(folder),
        )
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
