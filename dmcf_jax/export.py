"""A run as one file that embeds images, for a program that has JAX but not this library.

The file is a zip archive:

    visible.stablehlo, infrared.stablehlo  `jax.export` functions (weights, images) -> embeddings
    weights.safetensors                    what both take, by path
    config.json                            the run's

Images are uint8 [b h w 3] of any b, h and w; resizing and normalising are inside.
"""

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import safetensors.numpy
from jax import export as jax_export
from jaxtyping import Array, UInt8

from dmcf_jax.config import flatten
from dmcf_jax.data.augment import normalise
from dmcf_jax.data.modality import NAMES
from dmcf_jax.errors import UserError
from dmcf_jax.models.dmcf import DMCF, unit_length
from dmcf_jax.trained import TrainedModel
from dmcf_jax.tree_paths import leaves_by_path, tree_of

PLATFORMS = ("cpu", "cuda", "tpu")
VERIFIED_BATCHES = (1, 3, 8)
# Of embeddings of unit length: what float32 sums in another order may differ by.
TOLERANCE = 1e-4
_FILTERS = {"lanczos": "lanczos3", "bicubic": "cubic", "bilinear": "linear"}


def export_stablehlo(trained: TrainedModel, path: Path, model: DMCF) -> None:
    """Write the file at `path`, only once it gives the model's embeddings at every batch size.

    Args:
        model: the run's network in the form for accelerators ('library').

    Raises:
        UserError: if a file that was read back embeds otherwise.
    """
    weights = leaves_by_path(jax.device_get(trained.variables))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".incomplete")
    with zipfile.ZipFile(temporary, "w") as archive:
        for modality in NAMES:
            exported = _export(make_embed(trained, model, modality), weights)
            archive.writestr(f"{modality}.stablehlo", exported.serialize())
        archive.writestr("weights.safetensors", safetensors.numpy.save(weights))
        archive.writestr("config.json", json.dumps(flatten(trained.config), indent=2))
    _verify(trained, temporary)
    os.replace(temporary, path)


def load_exported(path: str | Path) -> Callable[[np.ndarray, str], Array]:
    """Return embed(images, modality) of an exported file.

    It takes uint8 images [b h w 3] and 'visible' or 'infrared', and returns float32 embeddings
    [b d] of unit length.
    """
    with zipfile.ZipFile(path) as archive:
        weights = safetensors.numpy.load(archive.read("weights.safetensors"))
        functions = {
            name: jax_export.deserialize(bytearray(archive.read(f"{name}.stablehlo")))
            for name in NAMES
        }
    weights = jax.device_put(weights)
    return lambda images, modality: functions[modality].call(weights, jnp.asarray(images))


def make_embed(trained: TrainedModel, model: DMCF, modality: str) -> Callable:
    """Return the function (weights by path, images) -> embeddings that is exported."""
    size = tuple(trained.config.data.size)
    method, flip = _FILTERS[trained.config.data.filter], trained.config.evaluation.flip

    def embed(weights, images):
        variables = tree_of(weights)
        images = normalise(resize(images, size, method))

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


def _verify(trained, path):
    """Embed random images by the file and by the run, at sizes with and without resizing."""
    embed = load_exported(path)
    height, width = trained.config.data.size
    draw = np.random.default_rng(0)
    for modality in NAMES:
        reference = jax.jit(make_embed(trained, trained.model, modality))
        weights = leaves_by_path(jax.device_get(trained.variables))
        for count in VERIFIED_BATCHES:
            for size in ((height, width), (height + 13, width - 5)):
                images = draw.integers(0, 256, (count, *size, 3), np.uint8)
                error = np.abs(embed(images, modality) - reference(weights, images)).max()
                if not error <= TOLERANCE:
                    raise UserError(
                        f"the export embeds {count} {modality} images otherwise than the run: "
                        f"{error:.1e} apart, at most {TOLERANCE:.0e} expected. Nothing is written."
                    )
