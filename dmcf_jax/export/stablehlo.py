"""StableHLO export: one file that embeds images, for programs with JAX but without dmcf_jax.

The file is a zip archive:

    visible.stablehlo, infrared.stablehlo  `jax.export` functions (weights, images) -> embeddings
    weights.safetensors                    the weights of both, by path
    config.json                            the run's config
    thresholds.json                        the run's thresholds of a search; null if it has none
    versions.json                          of jax and dmcf_jax, which wrote it

Images are uint8 [b h w 3] of any b, h and w; resizing and normalising are part of the functions.
"""

import json
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import safetensors.numpy
from jax import export as jax_export
from jaxtyping import Array
from safetensors import SafetensorError

from dmcf_jax import __version__
from dmcf_jax.config.build import build_model
from dmcf_jax.errors import UserError
from dmcf_jax.export.embed_function import make_embed
from dmcf_jax.export.verify import verify
from dmcf_jax.modality import MODALITIES
from dmcf_jax.models.tree_paths import leaves_by_path
from dmcf_jax.runs.load import TrainedModel
from dmcf_jax.runtime.console import log
from dmcf_jax.runtime.files import DAMAGED_ARCHIVE, atomic_path

PLATFORMS = ("cpu", "cuda", "tpu")


def export_stablehlo(trained: TrainedModel, path: Path) -> None:
    """Write the file at `path`, after its embeddings were verified.

    Raises:
        UserError: the file that was read back does not reproduce the run, or cannot be written.
    """
    # What suits accelerators, since one file serves all platforms.
    model = build_model(trained.config, trained.model.identities, conv_impl="xla")
    weights = leaves_by_path(jax.device_get(trained.variables))
    with atomic_path(path, "Name another place with --out.") as temporary:
        with zipfile.ZipFile(temporary, "w") as archive:
            for modality in MODALITIES:
                exported = _export(make_embed(trained, model, modality), weights)
                archive.writestr(f"{modality}.stablehlo", exported.serialize())
            archive.writestr("weights.safetensors", safetensors.numpy.save(weights))
            archive.writestr("config.json", json.dumps(trained.flat_config(), indent=2))
            archive.writestr("thresholds.json", json.dumps(trained.thresholds, indent=2))
            archive.writestr("versions.json", json.dumps(versions()))
        verify(load_exported(temporary), trained, trained.model)


def _export(embed: Callable, weights: dict[str, np.ndarray]) -> jax_export.Exported:
    batch, height, width = jax_export.symbolic_shape("b, h, w")
    images = jax.ShapeDtypeStruct((batch, height, width, 3), jnp.uint8)
    shapes = {
        name: jax.ShapeDtypeStruct(value.shape, value.dtype) for name, value in weights.items()
    }
    return jax_export.export(jax.jit(embed), platforms=PLATFORMS)(shapes, images)


def load_exported(path: str | Path) -> Callable[[np.ndarray, str], Array]:
    """Return embed(images, modality) of an exported file.

    It takes uint8 images [b h w 3] and 'visible' or 'infrared', and returns float32 embeddings
    [b d] of unit length.

    Raises:
        UserError: the file is missing or damaged; by `embed`, for other images or modalities.
    """
    if newer := _newer(path):
        log(f"NOTE: {path} may not be readable: {newer}")
    weights = jax.device_put(read_exported_weights(path))
    functions = {name: _read_part(path, f"{name}.stablehlo", _deserialize) for name in MODALITIES}

    def embed(images: np.ndarray, modality: str) -> Array:
        check_input(images, modality)
        try:
            return functions[modality].call(weights, jnp.asarray(images))
        except jax.errors.JaxRuntimeError as error:  # older versions notice only here
            if "deserialize" not in str(error).lower():
                raise
            text = f"{path} cannot be run: {_newer(path) or 'it is of another jax'}. Export it "
            raise UserError(f"{text}with this version of jax.", about=str(path)) from None

    return embed


def read_exported_weights(path: str | Path) -> dict[str, np.ndarray]:
    """Return the weights of an exported file by path.

    Raises:
        UserError: the file is missing or damaged.
    """
    return _read_part(path, "weights.safetensors", safetensors.numpy.load)


def versions() -> dict[str, str]:
    """Return the versions that write and read an export."""
    return {"jax": jax.__version__, "dmcf_jax": __version__}


def _newer(path: str | Path) -> str:
    """Return both versions of jax if a file is of a newer one, which this one cannot read."""
    try:
        with zipfile.ZipFile(path) as archive:
            written = json.loads(archive.read("versions.json"))["jax"]
    except DAMAGED_ARCHIVE:
        return ""
    numbers = [[int(n) for n in re.findall(r"\d+", v)] for v in (written, jax.__version__)]
    return f"it is of jax {written}, this is {jax.__version__}" if numbers[0] > numbers[1] else ""


def _deserialize(data: bytes) -> jax_export.Exported:
    return jax_export.deserialize(bytearray(data))


def _read_part(path: str | Path, name: str, decode: Callable[[bytes], Any]) -> Any:
    try:
        with zipfile.ZipFile(path) as archive:
            return decode(archive.read(name))
    # What the libraries raise for damaged data (flatbuffers a struct.error) or a newer jax's.
    except (*DAMAGED_ARCHIVE, SafetensorError, struct.error) as error:
        reason = _newer(path) or getattr(error, "strerror", None) or str(error).strip("'\"")
        raise UserError(
            f"{path} cannot be read as an exported run ({reason}). Write it again with "
            "`dmcf export --format=stablehlo` and this version of jax.",
            about=str(path),
        ) from None


def check_input(images: np.ndarray, modality: str) -> None:
    """Refuse what an exported run does not take.

    Raises:
        UserError: images are not uint8 [n, height, width, 3], or there is no such modality.
    """
    if modality not in MODALITIES:
        raise UserError(
            f"the modality is {modality!r}, expected one of {', '.join(MODALITIES)}.",
            about="modality",
        )
    shape, dtype = np.shape(images), getattr(images, "dtype", type(images).__name__)
    if len(shape) != 4 or shape[-1] != 3 or dtype != np.uint8:
        raise UserError(
            f"images are {dtype} {shape}, expected uint8 [n, height, width, 3].", about="images"
        )
