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
from dmcf_jax.methods.fitted import Maps, fit_maps
from dmcf_jax.methods.method import Embedded, Fields, Method
from dmcf_jax.metrics.mlapg import fit_mlapg
from dmcf_jax.metrics.xqda import fit_xqda
from dmcf_jax.models.cross_metric import CrossMetric
from dmcf_jax.models.descriptors import hog, lomo
from dmcf_jax.models.unit_length import unit_length

DESCRIPTORS: dict[str, Callable] = {"hog": hog.describe, "lomo": lomo.lomo}


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

    @property
    def dtype(self) -> np.dtype:
        """The type that is computed in, which `verify` of an export asks for."""
        return np.dtype("float32")

    def setup(self) -> None:
        """Keep what no tree of weights may be without: one parameter, subtracted everywhere."""
        self.offset = self.param("offset", nn.initializers.zeros, (self.length,))

    def __call__(self, visible: Array, infrared: Array, train: bool) -> tuple[Array, Array]:
        """Return the embeddings of both modalities."""
        return self.embed(visible, "visible"), self.embed(infrared, "infrared")

    def embed(self, images: Float[Array, "n h w 3"], modality: str) -> Float[Array, "n d"]:
        """Return the descriptors with unit length."""
        return unit_length(self.describe(images, modality) - self.offset)

    def describe(self, images: Float[Array, "n h w 3"], modality: str) -> Float[Array, "n d"]:
        """Return the descriptors, float32.

        Args:
            images: normalised; their pixels come back exactly (see `raw_pixels`).
            modality: does not matter.
        """
        return DESCRIPTORS[self.descriptor](raw_pixels(images))


class FittedMatcher(Matcher):
    """A descriptor with a metric that is fitted to the training images.

    Attributes:
        rank: most values that are kept of a descriptor.
    """

    rank: int = 600

    def setup(self) -> None:
        """Make the metric, which starts at zero."""
        self.metric = CrossMetric(self.length, self.rank)

    def embed(self, images: Float[Array, "n h w 3"], modality: str) -> Float[Array, "n e"]:
        """Return unit vectors that rank across the modalities as the fitted distance does."""
        return self.metric(self.describe(images, modality), modality)


def descriptor_length(descriptor: str, size: tuple[int, int]) -> int:
    """Return the number of values that an image of `size` (height, width) has."""
    image = jax.ShapeDtypeStruct((1, *size, 3), np.uint8)
    return jax.eval_shape(DESCRIPTORS[descriptor], image).shape[1]


def _matcher(descriptor: str, fields: Fields, identities: int, conv_impl: str) -> Matcher:
    return Matcher(descriptor, descriptor_length(descriptor, fields["data.size"]), identities)


def _fitted_lomo(fields: Fields, identities: int, conv_impl: str) -> FittedMatcher:
    length = descriptor_length("lomo", fields["data.size"])
    return FittedMatcher("lomo", length, identities, min(fields["fit.pca"], length))


def _fit_mlapg(fields: Fields, variables: dict, embedded: Embedded) -> dict:
    def learn(visible, infrared, *labels):
        names = ("iterations", "tolerance", "pairs")
        settings = {name: fields[f"fit.{name}"] for name in names}
        projection = fit_mlapg(visible, infrared, *labels, **settings).projection
        return Maps(projection, projection)

    return fit_maps(fields, variables, embedded, learn)


def _fit_xqda(fields: Fields, variables: dict, embedded: Embedded) -> dict:
    def learn(visible, infrared, *labels):
        fitted = fit_xqda(visible, infrared, *labels)
        projection, signs = fitted.factors()
        return Maps(projection, projection, signs)

    return fit_maps(fields, variables, embedded, learn)


HOG = Method("HOG", (), partial(_matcher, "hog"))
LOMO = Method("LOMO", (), partial(_matcher, "lomo"))
MLAPG = Method(
    "MLAPG",
    ("fit.pca", "fit.iterations", "fit.tolerance", "fit.pairs"),
    _fitted_lomo,
    fit=_fit_mlapg,
    across_only=True,
)
XQDA = Method("XQDA", ("fit.pca",), _fitted_lomo, fit=_fit_xqda, across_only=True)
