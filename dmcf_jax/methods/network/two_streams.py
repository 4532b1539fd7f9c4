"""Two streams, fused level by level, divided in stripes, reduced and classified.

DMCF is the case of three levels; most other methods have one. Notation and equation numbers
follow Cheng et al., IEEE Access 2020, section III and figure 2.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from dmcf_jax.methods.network.backbones import BACKBONES, FC6
from dmcf_jax.methods.network.heads import Head
from dmcf_jax.methods.network.interleave import interleave
from dmcf_jax.methods.network.levels import Feature, features_of, levels_of
from dmcf_jax.methods.network.pool import pool
from dmcf_jax.modality import MODALITIES
from dmcf_jax.models.resnet import STAGES
from dmcf_jax.models.unit_length import unit_length

INPUTS = ("three", "zero_padding")


def has_levels(network: nn.Module) -> bool:
    """Return whether an embedding is what the levels of a `TwoStreams` give, side by side."""
    levels = isinstance(network, TwoStreams) and type(network).embed is TwoStreams.embed
    return levels and network.pool != FC6


class Outputs(NamedTuple):
    """The network's outputs for 2b fused rows: embeddings [2b d] and logits [2b k] by feature."""

    embeddings: dict[str, Array]
    logits: dict[str, Array]


class TwoStreams(nn.Module):
    """A network for pairs of modalities; the defaults are the paper's DMCF.

    Attributes:
        identities: classes k of every classifier.
        stage_sizes, width, last_stride: of a `ResNet`; width also of an `AlexNet`.
        shared_from: first stage that the modalities share, None for two whole streams.
        levels: stages whose outputs are the levels, low to high.
        stripes: stripes of each level.
        reduce_global: also reduce G1.. (default); False is the literal eq. 6-9.
        embedding_dim: size of a reduced vector.
        neck, softmax_scale, head, dropout: of the heads, see `Reduction` and `Head`.
        pool, gem_p: how maps become vectors, see `dmcf_jax.methods.network.pool`; or 'fc6', the
            first linear layer of an AlexNet, which is part of its stream.
        input: 'three' channels; or 'zero_padding', two of them (Wu 2017): visible images have
            their mean over the channels in the first and zeros in the second, infrared images the
            other way round, so that shared weights can tell them apart.
        weighted: whether the levels have learned weights (eq. 15).
        dtype: of the streams; pooled values, heads and losses are float32.
        conv_impl: 'xla' or 'matmul', see `dmcf_jax.models.convolution`.
        remat, non_local: see `ResNet`.
        backbone: of both streams, a key of `BACKBONES`.
    """

    identities: int
    stage_sizes: tuple[int, ...] = (3, 4, 6, 3)
    width: int = 64
    last_stride: int = 2
    shared_from: str | None = None
    levels: tuple[str, ...] = ("layer2", "layer3", "layer4")
    stripes: tuple[int, ...] = (1, 2, 3)
    reduce_global: bool = True
    embedding_dim: int = 256
    neck: str = "relu"
    softmax_scale: float = 0.0
    head: str = "reduction"
    dropout: float = 0.0
    pool: str = "max"
    gem_p: float = 3.0
    input: str = "three"
    weighted: bool = True
    dtype: Any = jnp.float32
    conv_impl: str = "xla"
    remat: bool = False
    non_local: tuple[int, ...] = (0, 0, 0, 0)
    backbone: str = "resnet"

    @property
    def features(self) -> tuple[Feature, ...]:
        """The pooled features in the order of the test embedding."""
        return features_of(self.levels, self.stripes)

    def setup(self) -> None:
        """Make the private part of both streams, the shared part and the heads."""
        needed = STAGES[: STAGES.index(self.levels[-1]) + 1]
        first_shared = STAGES.index(self.shared_from) if self.shared_from else len(needed)
        private, shared = needed[:first_shared], needed[first_shared:]
        self.visible = self.make_stream(private) if private else None
        self.infrared = self.make_stream(private) if private else None
        self.shared = self.make_stream(shared) if shared else None
        self.heads = {feature.name: self._head(feature) for feature in self.features}
        # log sigma^2 of each level (eq. 15), used by the loss; it lives here so that
        # `init` alone gives every parameter that is learned.
        if self.weighted:
            count = len(levels_of(self.features))
            self.log_variance = self.param("log_variance", nn.initializers.zeros, (count,))

    def make_stream(self, parts: tuple[str, ...]) -> nn.Module:
        """Return consecutive stages of the backbone.

        Args:
            parts: names out of `STAGES`; the module maps (x, train) to their outputs by name.
        """
        return BACKBONES[self.backbone].stream(self, parts)

    def _head(self, feature):
        reduced = self.reduce_global or not feature.is_global
        size = self.embedding_dim if reduced else None
        return Head(size, self.identities, self.neck, self.softmax_scale, self.head, self.dropout)

    def __call__(
        self, visible: Float[Array, "v h w c"], infrared: Float[Array, "b h w c"], train: bool
    ) -> Outputs:
        """Return embeddings and logits of a batch of pairs, rows interleaved.

        Args:
            visible: normalised visible images; row i shows the same person as `infrared` row i,
                or v = 2b: as row i // 2.
            infrared: normalised infrared images.
            train: use batch statistics and update the running ones.
        """
        pooled = self.fused_features(visible, infrared, train)
        both = {name: self.heads[name](value, train) for name, value in pooled.items()}
        embeddings = {name: embedding for name, (embedding, _) in both.items()}
        return Outputs(embeddings, {name: logits for name, (_, logits) in both.items()})

    def fused_features(
        self, visible: Float[Array, "v h w c"], infrared: Float[Array, "b h w c"], train: bool
    ) -> dict[str, Array]:
        """Return the pooled rows [2b c] of each feature, interleaved.

        Each stream is pooled before fusing where they are apart: the same values, less copied.
        """
        private_v = self._private_maps("visible", visible, train)
        private_i = self._private_maps("infrared", infrared, train)
        fused = {}
        if self.shared:
            last = next(reversed(private_v)) if self.visible else None
            entry_v, entry_i = (
                (private_v[last], private_i[last])
                if last
                else (self._entry(visible, "visible"), self._entry(infrared, "infrared"))
            )
            fused = self.shared(interleave(entry_v, entry_i), train)
        return {
            feature.name: self.pooled(fused, feature)
            if feature.stage in fused
            else interleave(self.pooled(private_v, feature), self.pooled(private_i, feature))
            for feature in self.features
        }

    def _private_maps(self, modality, images, train):
        stream = getattr(self, modality)
        with jax.named_scope(f"{modality}_stream"):
            return stream(self._entry(images, modality), train) if stream else {}

    def _entry(self, images, modality):
        if self.input == "three":
            return images
        grey = jnp.mean(images, axis=-1)
        channels = [grey, jnp.zeros_like(grey)]
        return jnp.stack(channels if modality == "visible" else channels[::-1], axis=-1)

    def pooled(self, maps: dict[str, Array], feature: Feature) -> Float[Array, "n c"]:
        """Return the vector of one feature from the outputs of the stages."""
        if self.pool == FC6:
            return maps[FC6].astype(jnp.float32)
        return pool(maps[feature.stage], feature, self.pool, self.gem_p)

    def feature_maps(
        self, images: Float[Array, "n h w c"], modality: str, train: bool = False
    ) -> dict[str, Array]:
        """Return the outputs of every stage for images of one modality, NHWC by stage name.

        With 'fc6' its rows [n d] are among them.
        """
        if modality not in MODALITIES:
            raise ValueError(f"modality is {modality!r}, expected one of {MODALITIES}")
        maps = self._private_maps(modality, images, train)
        if self.shared:
            entry = next(reversed(maps.values())) if maps else self._entry(images, modality)
            maps |= self.shared(entry, train)
        return maps

    def embed(self, images: Float[Array, "n h w 3"], modality: str) -> Float[Array, "n d"]:
        """Return the test embedding: all embeddings side by side, float32, of unit length.

        d is 2048 for the paper's network. Batch norm uses its running statistics.
        """
        maps = self.feature_maps(images, modality)
        parts = [
            self.heads[feature.name].embed(self.pooled(maps, feature), False)
            for feature in self.features
        ]
        return unit_length(jnp.concatenate(parts, axis=1))
