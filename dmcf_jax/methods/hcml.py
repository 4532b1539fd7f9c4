"""HCML: a map of each modality and a metric, fitted on TONE's features (Ye et al., AAAI 2018)."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from dmcf_jax.methods.fitted import FROZEN, Maps, fit_maps
from dmcf_jax.methods.method import Embedded, Fields, Method, Trained
from dmcf_jax.methods.network.build import GROUPS, single_level
from dmcf_jax.methods.network.two_streams import TwoStreams
from dmcf_jax.methods.pairs import watch_pairs
from dmcf_jax.methods.tone import TONE_READS, make_loss
from dmcf_jax.metrics.hcml import fit_hcml
from dmcf_jax.models.cross_metric import CrossMetric


class HcmlNetwork(TwoStreams):
    """TONE's network with the fitted maps behind it.

    Attributes:
        rank: of the maps.
    """

    rank: int = 600

    def setup(self) -> None:
        """Make TONE's network and the maps, which start at zero."""
        super().setup()
        self.metric = CrossMetric(self.embedding_dim, self.rank)

    def __call__(self, visible: Array, infrared: Array, train: bool):
        """Return TONE's outputs."""
        if self.is_initializing():
            self.metric(jnp.zeros((1, self.embedding_dim)), "visible")
        return super().__call__(visible, infrared, train)

    def describe(self, images: Float[Array, "n h w 3"], modality: str) -> Float[Array, "n d"]:
        """Return TONE's embedding."""
        return super().embed(images, modality)

    def embed(self, images: Float[Array, "n h w 3"], modality: str) -> Float[Array, "n e"]:
        """Return unit vectors that rank across the modalities as the fitted distance does."""
        return self.metric(self.describe(images, modality), modality)


def _network(fields: Fields, identities: int, conv_impl: str) -> HcmlNetwork:
    rank = min(fields["fit.pca"], fields["model.embedding_dim"])
    return single_level(fields, identities, conv_impl, HcmlNetwork, rank=rank)


def _fit(fields: Fields, variables: dict, embedded: Embedded) -> dict:
    def learn(visible, infrared, *labels):
        fitted = fit_hcml(
            visible,
            infrared,
            *labels,
            iterations=fields["fit.iterations"],
            tolerance=fields["fit.tolerance"],
        )
        return Maps(fitted.visible, fitted.infrared)

    return fit_maps(fields, variables, embedded, learn)


METHOD = Method(
    "HCML",
    (*TONE_READS, "fit.pca", "fit.iterations", "fit.tolerance"),
    _network,
    Trained(make_loss, (*GROUPS, FROZEN), watch_pairs("contrastive")),
    _fit,
    across_only=True,
)
