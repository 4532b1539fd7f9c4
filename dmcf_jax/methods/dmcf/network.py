"""DMCF: two ResNet streams, fused level by level, divided in stripes, reduced and classified.

Notation and equation numbers follow Cheng et al., IEEE Access 2020, section III and figure 2.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from dmcf_jax.methods.dmcf.levels import Feature, features_of, levels_of
from dmcf_jax.methods.losses.softmax import cosine_logits
from dmcf_jax.modality import MODALITIES
from dmcf_jax.models.batch_norm import BatchNorm
from dmcf_jax.models.resnet import STAGES, ResNet


class DmcfOutputs(NamedTuple):
    """The network's outputs for 2b fused rows: embeddings [2b d] and logits [2b k] by feature."""

    embeddings: dict[str, Array]
    logits: dict[str, Array]


def interleave(visible: Float[Array, "b ..."], infrared: Float[Array, "b ..."]) -> Array:
    """Fuse the modalities along the batch (eq. 1-3): rows visible 0, infrared 0, visible 1, ...

    Deviation: the paper concatenates. Row order changes no result, and interleaved rows stay on
    their device when the batch is sharded.
    """
    return jnp.stack([visible, infrared], axis=1).reshape(-1, *visible.shape[1:])


def pool(maps: Float[Array, "n h w c"], feature: Feature) -> Float[Array, "n c"]:
    """Return the float32 maximum over the whole map (eq. 6) or over one stripe (eq. 4-5)."""
    if feature.stripe is not None:
        rows = maps.shape[1] // feature.stripes
        maps = maps[:, feature.stripe * rows : (feature.stripe + 1) * rows]
    return _maximum(maps.reshape(maps.shape[0], -1, maps.shape[-1])).astype(jnp.float32)


@jax.custom_vjp
def _maximum(values):
    """Return the maximum over axis 1; its gradient goes to the first place that has it.

    The gradient of `jnp.max` tests `x == max`. Under jit XLA may recompute x with another
    rounding, so that no element matches and the gradient is lost (seen on CPU with jax 0.10.2;
    tests/methods/dmcf/test_golden.py). The position from `argmax` is exact.

    This body runs only without gradients, where pairwise maxima are faster than `argmax`.
    """
    while (count := values.shape[1]) > 1:
        half = -(-count // 2)
        values = jnp.maximum(values[:, :half], values[:, count - half :])
    return values[:, 0]


def _maximum_forward(values):
    place = jnp.argmax(values, axis=1, keepdims=True)
    return jnp.take_along_axis(values, place, axis=1)[:, 0], (place, values.shape[1])


def _maximum_backward(saved, cotangent):
    place, count = saved
    here = jnp.arange(count, dtype=place.dtype)[:, None] == place
    return (jnp.where(here, cotangent[:, None], jnp.zeros((), cotangent.dtype)),)


_maximum.defvjp(_maximum_forward, _maximum_backward)


class Reduction(nn.Module):
    """1x1 convolution without bias, batch norm, ReLU on pooled vectors (eq. 7).

    Attributes:
        features: size of the reduced vector.
        neck: 'relu', or 'batch_norm' to leave out the ReLU.
    """

    features: int
    neck: str = "relu"

    @nn.compact
    def __call__(self, x: Float[Array, "n c"], train: bool) -> Float[Array, "n d"]:
        """Return the reduced vectors, float32."""
        initialise = nn.initializers.he_normal()
        x = nn.Dense(self.features, use_bias=False, kernel_init=initialise, name="conv")(x)
        x = BatchNorm(train, name="bn")(x)
        return nn.relu(x) if self.neck == "relu" else x


class CosineClassifier(nn.Module):
    """Logits that are `scale` times the cosine of embedding and class weights.

    Its parameters are those of a linear layer, so that runs can start from each other's weights;
    the bias is not used.
    """

    identities: int
    scale: float
    kernel_init: Callable

    @nn.compact
    def __call__(self, x: Float[Array, "n d"]) -> Float[Array, "n k"]:
        """Return the logits."""
        kernel = self.param("kernel", self.kernel_init, (x.shape[1], self.identities))
        self.param("bias", nn.initializers.zeros, (self.identities,))
        return cosine_logits(x, kernel, self.scale)


class Head(nn.Module):
    """Embedding and logits of one pooled feature.

    Attributes:
        embedding_dim: size d of the reduced vector, None to embed the pooled values as they are.
        identities: classes k.
        neck: of the reduction.
        softmax_scale: of cosine logits; 0 for a linear classifier.
    """

    embedding_dim: int | None
    identities: int
    neck: str = "relu"
    softmax_scale: float = 0.0

    def setup(self) -> None:
        """Make the reduction, if any, and the classifier."""
        self.reduction = Reduction(self.embedding_dim, self.neck) if self.embedding_dim else None
        # PyTorch's own variance for a linear layer, 1 / (3 fan-in). The field's much smaller 0.001
        # leaves the start to the triplet losses alone, which then pull everything to one point.
        initialise = nn.initializers.variance_scaling(1 / 3, "fan_in", "normal")
        self.classifier = (
            CosineClassifier(self.identities, self.softmax_scale, initialise)
            if self.softmax_scale
            else nn.Dense(self.identities, kernel_init=initialise)
        )

    def embed(self, pooled: Float[Array, "n c"], train: bool) -> Float[Array, "n d"]:
        """Return the embedding, without classifying."""
        return self.reduction(pooled, train) if self.reduction else pooled

    def __call__(self, pooled: Float[Array, "n c"], train: bool):
        """Return (embedding [n d], logits [n k])."""
        embedding = self.embed(pooled, train)
        return embedding, self.classifier(embedding)


class DMCF(nn.Module):
    """The dual-stream multi-layer corresponding fusion network.

    Attributes:
        identities: classes k of every classifier.
        stage_sizes, width, last_stride: of both streams, see `ResNet`.
        shared_from: first stage that the modalities share, None for two whole streams.
        levels: stages whose outputs are the levels, low to high.
        stripes: stripes of each level.
        reduce_global: also reduce G1.. (default); False is the literal eq. 6-9.
        embedding_dim: size of a reduced vector.
        neck, softmax_scale: of the heads, see `Reduction` and `Head`.
        dtype: of the streams; pooled values, heads and losses are float32.
        conv_impl: 'xla' or 'matmul', see `dmcf_jax.models.convolution`.
        remat: see `ResNet`.
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
    dtype: Any = jnp.float32
    conv_impl: str = "xla"
    remat: bool = False

    @property
    def features(self) -> tuple[Feature, ...]:
        """The pooled features in the order of the test embedding."""
        return features_of(self.levels, self.stripes)

    def setup(self) -> None:
        """Make the private part of both streams, the shared part and the heads."""
        needed = STAGES[: STAGES.index(self.levels[-1]) + 1]
        first_shared = STAGES.index(self.shared_from) if self.shared_from else len(needed)
        private, shared = needed[:first_shared], needed[first_shared:]
        self.visible = self._stream(private)
        self.infrared = self._stream(private)
        self.shared = self._stream(shared)
        self.heads = {feature.name: self._head(feature) for feature in self.features}
        # log sigma^2 of each level (eq. 15), used by the loss; it lives here so that
        # `init` alone gives every parameter that is learned.
        count = len(levels_of(self.features))
        self.log_variance = self.param("log_variance", nn.initializers.zeros, (count,))

    def _stream(self, parts):
        if not parts:
            return None
        return ResNet(
            self.stage_sizes,
            self.width,
            self.last_stride,
            parts,
            self.dtype,
            self.conv_impl,
            self.remat,
        )

    def _head(self, feature):
        reduced = self.reduce_global or not feature.is_global
        size = self.embedding_dim if reduced else None
        return Head(size, self.identities, self.neck, self.softmax_scale)

    def __call__(
        self, visible: Float[Array, "b h w 3"], infrared: Float[Array, "b h w 3"], train: bool
    ) -> DmcfOutputs:
        """Return embeddings and logits of a batch of pairs, rows interleaved.

        Args:
            visible: normalised visible images; row i shows the same person as `infrared` row i.
            infrared: normalised infrared images.
            train: use batch statistics and update the running ones.
        """
        pooled = self._fused_features(visible, infrared, train)
        both = {name: self.heads[name](value, train) for name, value in pooled.items()}
        embeddings = {name: embedding for name, (embedding, _) in both.items()}
        return DmcfOutputs(embeddings, {name: logits for name, (_, logits) in both.items()})

    def _fused_features(self, visible, infrared, train):
        """Pool each stream before fusing where they are apart: the same values, less copied."""
        private_v = self._private_maps("visible", visible, train)
        private_i = self._private_maps("infrared", infrared, train)
        fused = {}
        if self.shared:
            last = next(reversed(private_v)) if self.visible else None
            entry_v, entry_i = (private_v[last], private_i[last]) if last else (visible, infrared)
            fused = self.shared(interleave(entry_v, entry_i), train)
        return {
            feature.name: pool(fused[feature.stage], feature)
            if feature.stage in fused
            else interleave(
                pool(private_v[feature.stage], feature), pool(private_i[feature.stage], feature)
            )
            for feature in self.features
        }

    def _private_maps(self, modality, images, train):
        stream = getattr(self, modality)
        with jax.named_scope(f"{modality}_stream"):
            return stream(images, train) if stream else {}

    def feature_maps(
        self, images: Float[Array, "n h w 3"], modality: str, train: bool = False
    ) -> dict[str, Array]:
        """Return the outputs of every stage for images of one modality, NHWC by stage name."""
        if modality not in MODALITIES:
            raise ValueError(f"modality is {modality!r}, expected one of {MODALITIES}")
        maps = self._private_maps(modality, images, train)
        if self.shared:
            maps |= self.shared(next(reversed(maps.values())) if maps else images, train)
        return maps

    def embed(self, images: Float[Array, "n h w 3"], modality: str) -> Float[Array, "n d"]:
        """Return the test embedding: all embeddings side by side, float32, of unit length.

        d is 2048 for the paper's network. Batch norm uses its running statistics.
        """
        maps = self.feature_maps(images, modality)
        parts = [
            self.heads[feature.name].embed(pool(maps[feature.stage], feature), False)
            for feature in self.features
        ]
        return unit_length(jnp.concatenate(parts, axis=1))


def unit_length(vectors: Float[Array, "n d"]) -> Float[Array, "n d"]:
    """Divide each row by its Euclidean length; a row of zeros stays zero."""
    squared = jnp.sum(vectors**2, axis=1, keepdims=True)
    return vectors * jax.lax.rsqrt(jnp.maximum(squared, 1e-24))
