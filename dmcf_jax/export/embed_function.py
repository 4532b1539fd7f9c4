"""What an exported run computes: uint8 images of any size -> unit embeddings, resizing included."""

from collections.abc import Callable
from typing import cast

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float, UInt8

from dmcf_jax.data.prepare_input import prepare_input
from dmcf_jax.models.tree_paths import tree_of
from dmcf_jax.models.unit_length import unit_length
from dmcf_jax.runs.load import TrainedModel

_KERNELS = {"lanczos": "lanczos3", "bicubic": "cubic", "bilinear": "linear"}


def make_embed(trained: TrainedModel, model: nn.Module, modality: str) -> Callable:
    """Return the function (weights by path, images [b h w 3]) -> embeddings [b d] to export.

    Args:
        trained: gives image size, form of the input, resampling filter and mirror averaging.
        model: the run's network, with the convolutions to export.
        modality: 'visible' or 'infrared', the stream that the images go through.
    """
    settings = trained.settings
    method = _KERNELS[settings.filter]

    def embed(weights: dict[str, Array], images: UInt8[Array, "b h w 3"]) -> Float[Array, "b d"]:
        variables = tree_of(weights)
        images = prepare_input(resize(images, settings.size, method), settings.form)

        def one_view(view: Float[Array, "b y x 3"]) -> Float[Array, "b d"]:
            return cast(Array, model.apply(variables, view, modality, method="embed"))

        embeddings = one_view(images)
        if settings.flip:
            embeddings = unit_length(embeddings + one_view(images[:, :, ::-1]))
        return embeddings

    return embed


def resize(
    images: UInt8[Array, "b h w 3"], size: tuple[int, int], method: str
) -> UInt8[Array, "b y x 3"]:
    """Resize like Pillow, to within one grey level: columns, then rows, rounded after each.

    Uses `scale_and_translate`, because `jax.image.resize` needs static sizes.

    Args:
        size: height and width of the result.
        method: of `jax.image.scale_and_translate`.
    """
    for axis, length in ((2, size[1]), (1, size[0])):
        shape = (*images.shape[:axis], length, *images.shape[axis + 1 :])
        scale = length / jnp.asarray(images.shape[axis], jnp.float32)
        pixels = jax.image.scale_and_translate(
            images.astype(jnp.float32), shape, (axis,), scale[None], jnp.zeros(1), method
        )
        images = jnp.clip(jnp.round(pixels), 0, 255).astype(jnp.uint8)
    return images
