"""GSM: a similarity of two domains that is learned with the network (Lin et al., TPAMI 2017).

Deviation: the source names no network for this task; ResNet-50 whose first stages are private, one
batch-norm head, and unit rows in front of the similarity.
"""

from functools import partial

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float, Int

from dmcf_jax.methods.losses.gsm import bilinear_terms, gsm_loss
from dmcf_jax.methods.losses.statistics import watch
from dmcf_jax.methods.method import (
    Context,
    Embedded,
    Fields,
    Group,
    Loss,
    LossTerm,
    Method,
    Trained,
    Watched,
)
from dmcf_jax.methods.network.build import GROUPS, single_level
from dmcf_jax.methods.network.two_streams import Outputs, TwoStreams
from dmcf_jax.methods.optimizer import READS as OPTIMIZER_READS
from dmcf_jax.modality import MODALITIES
from dmcf_jax.models.cross_metric import MARGIN, lift, reach
from dmcf_jax.models.unit_length import unit_length

# S starts as |f - g|^2 - 1 of unit rows: between the 0 of equal and the 2 of unrelated ones.
_FIRST_OFFSET = -1.0

# Fields of the network; those of a classifier are not among them.
_NETWORK = (
    "stage_sizes",
    "width",
    "last_stride",
    "shared_from",
    "levels",
    "stripes",
    "embedding_dim",
    "neck",
    "head",
    "pool",
    "gem_p",
    "input",
    "pretrained",
    "block_start",
    "remat",
    "non_local",
)


def _identity_maps(key, shape, dtype=jnp.float32):
    """Return [A, C, d] = [I, I, 0] of d x (2 d + 1)."""
    eye = jnp.eye(shape[0], dtype=dtype)
    return jnp.concatenate([eye, eye, jnp.zeros((shape[0], 1), dtype)], axis=1)


class GsmNetwork(TwoStreams):
    """Two streams and, for each modality, the linear maps of the similarity."""

    def setup(self) -> None:
        """Make the streams, the maps and the constants."""
        super().setup()
        size = self.embedding_dim
        self.maps = {
            name: self.param(f"similarity_{name}", _identity_maps, (size, 2 * size + 1))
            for name in MODALITIES
        }
        self.offset = self.param("similarity_offset", nn.initializers.constant(_FIRST_OFFSET), ())
        self.radius = self.param("metric_radius", nn.initializers.constant(4 * MARGIN), ())

    def mapped(self, rows: Float[Array, "n d"], modality: str) -> Float[Array, "n o"]:
        """Return [A f, C f, d.f] of rows f of one modality, o = 2 d + 1."""
        return jnp.matmul(rows, self.maps[modality], precision="highest")

    def __call__(
        self, visible: Float[Array, "b h w 3"], infrared: Float[Array, "b h w 3"], train: bool
    ) -> Outputs:
        """Return the mapped unit rows, interleaved; no classifier is made."""
        feature = self.features[0].name
        pooled = self.fused_features(visible, infrared, train)[feature]
        rows = unit_length(self.heads[feature].embed(pooled, train))
        both = jnp.stack(
            [self.mapped(rows[0::2], "visible"), self.mapped(rows[1::2], "infrared")], axis=1
        )
        return Outputs({"G1": both.reshape(len(rows), -1)}, {})

    def describe(self, images: Float[Array, "n h w 3"], modality: str) -> Float[Array, "n o"]:
        """Return the mapped unit rows of one modality."""
        return self.mapped(super().embed(images, modality), modality)

    def embed(self, images: Float[Array, "n h w 3"], modality: str) -> Float[Array, "n e"]:
        """Return unit vectors that rank across the modalities as S does."""
        cross, square = bilinear_terms(self.describe(images, modality))
        return lift(cross, square, self.radius, modality)


def make_loss(fields: Fields, network: TwoStreams) -> Loss:
    """Return the hinge of S over pairs of one person and of two, half of each."""

    def loss(
        outputs: Outputs, labels: Int[Array, " n"], context: Context
    ) -> tuple[Float[Array, ""], dict[str, Array]]:
        rows, offset = outputs.embeddings["G1"], context.params["similarity_offset"]
        hinge = gsm_loss(rows[0::2], rows[1::2], labels[0::2], offset)
        return hinge, {"hinge": hinge} | watch({"G1": rows}, labels, 1.0)

    return loss


def _fit(fields: Fields, variables: dict, embedded: Embedded) -> dict:
    """Choose the radius of the unit vectors so that all training images fit in."""
    cross, square = bilinear_terms(jnp.asarray(embedded.features))
    radius = MARGIN * jnp.max(reach(cross, square))
    return variables | {"params": variables["params"] | {"metric_radius": radius}}


METHOD = Method(
    title="GSM",
    reads=(
        *(f"model.{name}" for name in _NETWORK),
        *OPTIMIZER_READS,
        "optim.lr_backbone",
        "optim.lr_heads",
    ),
    network=partial(single_level, kind=GsmNetwork),
    trained=Trained(
        make_loss,
        (
            *GROUPS[:1],
            Group("heads", r"(heads_[GR]\d+/.*|similarity_.*)"),
            Group("metric", r"metric_.*", frozen=True),
        ),
        lambda fields, network: Watched((LossTerm("hinge", "triplet", "G1"),)),
    ),
    fit=_fit,
    across_only=True,
)
