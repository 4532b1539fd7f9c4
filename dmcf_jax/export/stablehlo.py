"""A run as one file that embeds images, for a program that has JAX but not this library.

The file is a zip archive:

    visible.stablehlo, infrared.stablehlo  `jax.export` functions (weights, images) -> embeddings
    weights.safetensors                    what both take, by path
    config.json                            the run's

Images are uint8 [b h w 3] of any b, h and w; resizing and normalising are inside.
"""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import safetensors.numpy
from jax import export as jax_export
from jaxtyping import Array, UInt8
from safetensors import SafetensorError

from dmcf_jax.config.build import input_form
from dmcf_jax.config.validate import flatten
from dmcf_jax.data.prepare_input import prepare_input
from dmcf_jax.errors import UserError
from dmcf_jax.methods.dmcf.network import DMCF, unit_length
from dmcf_jax.modality import MODALITIES
from dmcf_jax.models.tree_paths import leaves_by_path, tree_of
from dmcf_jax.runs.load import TrainedModel
from dmcf_jax.runtime.files import atomic_path

PLATFORMS = ("cpu", "cuda", "tpu")
# How many images a file is tried on, and by how much they must be resized.
VERIFIED = ((1, 0), (3, 13), (8, 0))
# By the dtype of the computation: what sums in another order may differ by, in embeddings of unit
# length. Random ResNet-50s differed by 2e-7 in float32 and by 1.2e-3 in bfloat16.
TOLERANCE = {"float32": 1e-4, "bfloat16": 5e-3}
# Where pixels are resized: one that lies between two grey levels may round either way, which moved
# a small run's embedding by 2e-4; another filter moved it by 0.1.
RESIZED = 2e-3
_FILTERS = {"lanczos": "lanczos3", "bicubic": "cubic", "bilinear": "linear"}


def export_stablehlo(trained: TrainedModel, path: Path, model: DMCF) -> None:
    """Write the file at `path`, only once it gives the model's embeddings at every batch size.

    Args:
        model: the run's network in the form for accelerators ('library').

    Raises:
        UserError: if a file that was read back embeds otherwise.
    """
    weights = leaves_by_path(jax.device_get(trained.variables))
    with atomic_path(path, "Name another place with --out.") as temporary:
        with zipfile.ZipFile(temporary, "w") as archive:
            for modality in MODALITIES:
                exported = _export(make_embed(trained, model, modality), weights)
                archive.writestr(f"{modality}.stablehlo", exported.serialize())
            archive.writestr("weights.safetensors", safetensors.numpy.save(weights))
            archive.writestr("config.json", json.dumps(flatten(trained.config), indent=2))
        verify(load_exported(temporary), trained, trained.model)


def load_exported(path: str | Path) -> Callable[[np.ndarray, str], Array]:
    """Return embed(images, modality) of an exported file.

    It takes uint8 images [b h w 3] and 'visible' or 'infrared', and returns float32 embeddings
    [b d] of unit length.

    Raises:
        UserError: if the file is missing or damaged; by `embed`, for other images or modalities.
    """
    weights = jax.device_put(read_exported_weights(path))
    functions = {name: _read_part(path, f"{name}.stablehlo", _deserialize) for name in MODALITIES}

    def embed(images, modality):
        check_input(images, modality)
        return functions[modality].call(weights, jnp.asarray(images))

    return embed


def _deserialize(data):
    return jax_export.deserialize(bytearray(data))


def read_exported_weights(path: str | Path) -> dict[str, np.ndarray]:
    """Return the weights of an exported file by path."""
    return _read_part(path, "weights.safetensors", safetensors.numpy.load)


def _read_part(path, name, decode):
    try:
        with zipfile.ZipFile(path) as archive:
            return decode(archive.read(name))
    # Each library that decodes has its own; ValueError is also what a newer jax's file raises.
    except (OSError, KeyError, ValueError, zipfile.BadZipFile, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or str(error).strip("'\"")
        raise UserError(
            f"{path} cannot be read as an exported run ({reason}). Write it with "
            "dmcf export --format=stablehlo and this version of jax."
        ) from None


def check_input(images: np.ndarray, modality: str) -> None:
    """Refuse what an exported run does not take."""
    if modality not in MODALITIES:
        raise UserError(f"the modality is {modality!r}, expected one of {', '.join(MODALITIES)}.")
    shape, dtype = np.shape(images), getattr(images, "dtype", type(images).__name__)
    if len(shape) != 4 or shape[-1] != 3 or dtype != np.uint8:
        raise UserError(f"images are {dtype} {shape}, expected uint8 [n, height, width, 3].")


def make_embed(trained: TrainedModel, model: DMCF, modality: str) -> Callable:
    """Return the function (weights by path, images) -> embeddings that is exported."""
    size = tuple(trained.config.data.size)
    form = input_form(trained.config)
    method, flip = _FILTERS[trained.config.data.filter], trained.config.evaluation.flip

    def embed(weights, images):
        variables = tree_of(weights)
        images = prepare_input(resize(images, size, method), form)

        def one_view(view):
            return model.apply(variables, view, modality, method="embed")

        embeddings = one_view(images)
        return unit_length(embeddings + one_view(images[:, :, ::-1])) if flip else embeddings

    return embed


def resize(
    images: UInt8[Array, "b h w 3"], size: tuple[int, int], method: str
) -> UInt8[Array, "b y x 3"]:
    """Resize as Pillow does, up to a grey level: columns, then rows, rounded after each.

    Written with `scale_and_translate`, since `jax.image.resize` wants known sizes.
    """
    for axis, wanted in ((2, size[1]), (1, size[0])):
        shape = (*images.shape[:axis], wanted, *images.shape[axis + 1 :])
        scale = wanted / jnp.asarray(images.shape[axis], jnp.float32)
        pixels = jax.image.scale_and_translate(
            images.astype(jnp.float32), shape, (axis,), scale[None], jnp.zeros(1), method
        )
        images = jnp.clip(jnp.round(pixels), 0, 255).astype(jnp.uint8)
    return images


def _export(embed, weights):
    batch, height, width = jax_export.symbolic_shape("b, h, w")
    images = jax.ShapeDtypeStruct((batch, height, width, 3), jnp.uint8)
    shapes = {
        name: jax.ShapeDtypeStruct(value.shape, value.dtype) for name, value in weights.items()
    }
    return jax_export.export(jax.jit(embed), platforms=PLATFORMS)(shapes, images)


def verify(embed: Callable, trained: TrainedModel, model: DMCF) -> None:
    """Embed random images by a file and by `model`, with and without resizing.

    Args:
        embed: of the file, takes images and modality.
        model: the run's network, the truth; it embeds one image at a time.

    Raises:
        UserError: if they differ by more than rounding.
    """
    weights = leaves_by_path(jax.device_get(trained.variables))
    height, width = trained.config.data.size
    draw, rounding = np.random.default_rng(0), TOLERANCE[jnp.dtype(model.dtype).name]
    for modality in MODALITIES:
        reference = jax.jit(make_embed(trained, model, modality))
        for count, more in VERIFIED:
            shape = (count, height + more, width - more // 2, 3)
            images = draw.integers(0, 256, shape, np.uint8)
            limit = max(rounding, RESIZED) if more else rounding
            expected = np.concatenate([reference(weights, one[None]) for one in images])
            error = np.abs(embed(images, modality) - expected).max()
            if not error <= limit:
                raise UserError(
                    f"the export embeds {count} {modality} images otherwise than the run: "
                    f"{error:.1e} apart, at most {limit:.0e} expected. Nothing is written."
                )
