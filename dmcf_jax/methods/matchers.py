"""Matchers that are not trained: a descriptor of each image, with or without a fitted metric.

They are networks without weights, and runs of one step, so that every command works on them.
"""

from collections.abc import Callable
from functools import partial

import jax
import numpy as np
from flax import linen as nn
from jaxtyping import Array, Float

from dmcf_jax.data.prepare_input import raw_pixels
from dmcf_jax.methods.method import Fields, Method
from dmcf_jax.models.descriptors import hog
from dmcf_jax.models.unit_length import unit_length

DESCRIPTORS: dict[str, Callable] = {"hog": hog.describe}


class Matcher(nn.Module):
    """A descriptor as a network: both modalities are embedded alike.

    Attributes:
        descriptor: of `DESCRIPTORS`.
        length: d, of a descriptor.
        identities: of the training images; not used, as nothing is classified.
    """

    descriptor: str
    length: int
    identities: int

    def setup(self) -> None:
        """Keep what no tree of weights may be without: one parameter, subtracted everywhere."""
        self.offset = self.param("offset", nn.initializers.zeros, (self.length,))

    def __call__(self, visible: Array, infrared: Array, train: bool) -> tuple[Array, Array]:
        """Return the embeddings of both modalities."""
        return self.embed(visible, "visible"), self.embed(infrared, "infrared")

    def embed(self, images: Float[Array, "n h w 3"], modality: str) -> Float[Array, "n d"]:
        """Return the descriptors with unit length."""
        return unit_length(self.features(images, modality) - self.offset)

    def features(self, images: Float[Array, "n h w 3"], modality: str) -> Float[Array, "n d"]:
        """Return the descriptors, float32.

        Args:
            images: normalised; their pixels come back exactly (see `raw_pixels`).
            modality: does not matter.
        """
        return DESCRIPTORS[self.descriptor](raw_pixels(images))


def _matcher(descriptor: str, fields: Fields, identities: int, form: str) -> Matcher:
    return Matcher(descriptor, descriptor_length(descriptor, fields["data.size"]), identities)


def descriptor_length(descriptor: str, size: tuple[int, int]) -> int:
    """Return the number of values that an image of `size` (height, width) has."""
    image = jax.ShapeDtypeStruct((1, *size, 3), np.uint8)
    return jax.eval_shape(DESCRIPTORS[descriptor], image).shape[1]


HOG = Method("HOG", reads=(), network=partial(_matcher, "hog"))
