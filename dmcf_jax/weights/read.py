"""Read a file of weights as float32 arrays by name: `.pth`, `.safetensors`, `hf://owner/name`."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import safetensors.numpy
from jaxtyping import Float
from safetensors import SafetensorError

from dmcf_jax.errors import UserError
from dmcf_jax.runtime.files import atomic_path
from dmcf_jax.weights.hub import fetch_file, is_address
from dmcf_jax.weights.torch_pickle import read_torch_file

_HUB_FILE = "model.safetensors"


def read_weights(path: str | Path) -> dict[str, Float[np.ndarray, "..."]]:
    """Return the tensors of a file by name; half precision and integers become float32.

    Args:
        path: `.safetensors`, a file of `torch.save` (any other suffix), or `hf://owner/name` for
            the `model.safetensors` of a repository of the Hugging Face hub.

    Raises:
        UserError: it is missing, damaged or not a file of weights.
    """
    local = fetch_file(str(path), _HUB_FILE) if is_address(str(path)) else Path(path)
    if not local.is_file():
        raise UserError(
            f"there is no file {path}. Name a ResNet-50 of torchvision or timm or an AlexNet of "
            "torchvision (.pth or .safetensors), or hf://owner/name.",
            about=str(path),
        )
    _refuse_other_files(local)
    is_safetensors = local.suffix == ".safetensors"
    tensors = _read_safetensors(local) if is_safetensors else read_torch_file(local)
    return {name: np.asarray(value, np.float32) for name, value in tensors.items()}


def _refuse_other_files(path: Path) -> None:
    """Name what people get in place of weights: readers would call it damaged."""
    try:
        with open(path, "rb") as file:
            start = file.read(64).lstrip().lower()
    except OSError:
        return  # the reader says why
    if start.startswith(b"version https://git-lfs"):
        what = "a pointer of Git LFS, not the file it stands for: run git lfs pull"
    elif start.startswith((b"<!doctype", b"<html", b"<head", b"<?xml")):
        what = "a web page: download the weights again, in a browser if it asks a question there"
    else:
        return
    raise UserError(f"{path} is {what}", about=str(path))


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    try:
        return safetensors.numpy.load_file(path)
    except (SafetensorError, KeyError, OSError, ValueError) as error:
        raise UserError(
            f"{path} cannot be read as safetensors ({error}). Download or write it again.",
            about=str(path),
        ) from None


def write_safetensors(
    path: Path, tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]
) -> None:
    """Write `tensors` with `metadata` to `path`, completely or not at all.

    Raises:
        UserError: the file cannot be written.
    """
    contiguous = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
    with atomic_path(path, "Name another place with --out.") as temporary:
        # save_file would make a file that only its owner may read.
        temporary.write_bytes(safetensors.numpy.save(contiguous, dict(metadata)))
