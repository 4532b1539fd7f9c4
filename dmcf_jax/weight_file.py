"""Any file of weights, read as float32 arrays by name: `.pth`, `.safetensors`, `hf://owner/name`."""

import os
from pathlib import Path

import numpy as np
import safetensors.numpy
from jaxtyping import Float
from safetensors import SafetensorError

from dmcf_jax.errors import UserError
from dmcf_jax.torch_file import read_torch_file

HUB = "hf://"


def read_weights(path: str | Path) -> dict[str, Float[np.ndarray, "..."]]:
    """Return the tensors of a file by name; half precision and integers become float32.

    Args:
        path: `.safetensors`, a file of `torch.save` (any other ending), or `hf://owner/name` for
            the `model.safetensors` of a repository of the Hugging Face hub.

    Raises:
        UserError: if it is missing, damaged or no file of weights.
    """
    local = _fetch(str(path)) if str(path).startswith(HUB) else Path(path)
    if not local.is_file():
        raise UserError(
            f"there is no file {path}. Name a ResNet-50 of torchvision or timm (.pth or "
            ".safetensors), or hf://owner/name."
        )
    is_safe = local.suffix == ".safetensors"
    tensors = _read_safetensors(local) if is_safe else read_torch_file(local)
    return {name: np.asarray(value, np.float32) for name, value in tensors.items()}


def _read_safetensors(path):
    try:
        return safetensors.numpy.load_file(path)
    except (SafetensorError, KeyError, OSError, ValueError) as error:
        raise UserError(
            f"{path} cannot be read as safetensors ({error}). Download or write it again."
        ) from None


def _fetch(address: str) -> Path:
    """Return where the hub's file lies in its cache, fetched if it is not there."""
    repository = address.removeprefix(HUB).strip("/")
    if repository.count("/") != 1:
        raise UserError(f"{address} is no repository; expected {HUB}owner/name")
    try:
        import huggingface_hub
    except ImportError:
        raise UserError(
            f"{address} needs huggingface_hub: pip install 'dmcf_jax[hub]', or name a file."
        ) from None
    try:
        return Path(huggingface_hub.hf_hub_download(repository, "model.safetensors"))
    # Its errors have many unrelated classes (HTTP, cache, validation).
    except Exception as error:
        reason = str(error).strip().partition("\n")[0]
        raise UserError(
            f"{address} cannot be fetched: {reason}. Name a file, or see that the repository has "
            "a model.safetensors and that the network is reachable."
        ) from None


def write_safetensors(path: Path, tensors: dict[str, np.ndarray], facts: dict[str, str]) -> None:
    """Write `tensors` with `facts` as metadata, beside `path` first and renamed when whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".incomplete")
    whole = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
    safetensors.numpy.save_file(whole, temporary, metadata=facts)
    os.replace(temporary, path)
