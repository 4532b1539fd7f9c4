"""Any file of weights, read as float32 arrays by name: `.pth`, `.safetensors`, `hf://owner/name`."""

from pathlib import Path

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
        import huggingface_hub.errors
    except ImportError:
        raise UserError(
            f"{address} needs huggingface_hub: pip install huggingface_hub, or name a file."
        ) from None
    try:
        return Path(huggingface_hub.hf_hub_download(repository, _HUB_FILE))
    # Its errors have many unrelated classes (HTTP, cache, validation).
    except Exception as error:
        reason = _hub_reason(huggingface_hub.errors, error)
        raise UserError(f"{address} cannot be fetched: {reason}. Or name a file.") from None


def _hub_reason(errors, error) -> str:
    """Return what went wrong and the way out; the classes go from special to general."""
    reasons = {
        errors.GatedRepoError: "its owner asks for a login; run: hf auth login",
        errors.RepositoryNotFoundError: "the hub shows no such repository; check the name, or "
        "run: hf auth login, if it is private",
        errors.LocalEntryNotFoundError: "the hub cannot be reached and it was not fetched "
        "before; check the network",
        errors.EntryNotFoundError: f"the repository has no {_HUB_FILE}; choose another",
    }
    own = str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
    return next((text for kind, text in reasons.items() if isinstance(error, kind)), own)


def write_safetensors(path: Path, tensors: dict[str, np.ndarray], facts: dict[str, str]) -> None:
    """Write `tensors` with `facts` as metadata, beside `path` first and renamed when whole."""
    whole = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
    with atomic_path(path, "Name another place with --out.") as temporary:
        # Not by save_file, whose files only their owner may read.
        temporary.write_bytes(safetensors.numpy.save(whole, facts))
