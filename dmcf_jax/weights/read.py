"""Read a file of weights as float32 arrays by name: `.pth`, `.safetensors`, `hf://owner/name`."""

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import numpy as np
import safetensors.numpy
from jaxtyping import Float
from safetensors import SafetensorError

from dmcf_jax.errors import UserError
from dmcf_jax.runtime.files import atomic_path
from dmcf_jax.weights.torch_pickle import read_torch_file

HUB = "hf://"
_HUB_FILE = "model.safetensors"


def read_weights(path: str | Path) -> dict[str, Float[np.ndarray, "..."]]:
    """Return the tensors of a file by name; half precision and integers become float32.

    Args:
        path: `.safetensors`, a file of `torch.save` (any other suffix), or `hf://owner/name` for
            the `model.safetensors` of a repository of the Hugging Face hub.

    Raises:
        UserError: it is missing, damaged or not a file of weights.
    """
    local = _fetch(str(path)) if str(path).startswith(HUB) else Path(path)
    if not local.is_file():
        raise UserError(
            f"there is no file {path}. Name a ResNet-50 of torchvision or timm (.pth or "
            ".safetensors), or hf://owner/name.",
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


def _fetch(address: str) -> Path:
    """Return the path of the hub's file in the local cache; download it if it is not there."""
    repository = address.removeprefix(HUB).strip("/")
    if repository.count("/") != 1:
        raise UserError(f"{address} is no repository; expected {HUB}owner/name", about=address)
    try:
        import huggingface_hub  # optional
        import huggingface_hub.errors
    except ImportError:
        raise UserError(
            f"{address} needs huggingface_hub: pip install huggingface_hub, or name a file.",
            about=address,
        ) from None
    try:
        return Path(huggingface_hub.hf_hub_download(repository, _HUB_FILE))
    # Its errors have many unrelated classes (HTTP, cache, validation).
    except Exception as error:
        reason = _hub_reason(huggingface_hub.errors, error)
        message = f"{address} cannot be fetched: {reason}. Or name a file."
        raise UserError(message, about=address) from None


def _hub_reason(errors: ModuleType, error: Exception) -> str:
    """Return what went wrong and what to do; subclasses come before their base classes."""
    reasons = {
        errors.GatedRepoError: "its owner asks for a login; run: hf auth login",
        errors.RepositoryNotFoundError: "the hub shows no such repository; check the name, or "
        "run: hf auth login, if it is private",
        errors.LocalEntryNotFoundError: "the hub cannot be reached and it was not fetched "
        "before; check the network",
        errors.EntryNotFoundError: f"the repository has no {_HUB_FILE}; choose another",
    }
    message = str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
    return next((text for kind, text in reasons.items() if isinstance(error, kind)), message)


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
