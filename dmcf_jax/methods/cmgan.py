"""cmGAN: triplets and softmax against a discriminator of modalities (Dai et al., IJCAI 2018).

Deviation: one gradient with a reversal in front of the discriminator, and turns of single steps,
for the public ports' two updates of all weights in turns of epochs.
"""

import jax.numpy as jnp
import optax
from flax import linen as nn
from jaxtyping import Array, Float, Int

from dmcf_jax.methods.identity import READS
from dmcf_jax.methods.losses.cross_modality_triplet import (
    drawn_cross_triplet,
    hard_cross_triplet,
)
from dmcf_jax.methods.losses.gradient_reversal import reverse_gradient
from dmcf_jax.methods.method import Context, Fields, Group, Loss, Method, Trained
from dmcf_jax.methods.network.build import GROUPS, single_level
from dmcf_jax.methods.network.two_streams import Outputs, TwoStreams
from dmcf_jax.methods.pairs import watch_pairs, with_softmax

_TURNS = 5  # of which the discriminator has the last


class Discriminator(nn.Module):
    """Tells visible from infrared rows: layers of 1000, 500 and 2."""

    @nn.compact
    def __call__(self, x: Float[Array, "n d"]) -> Float[Array, "n 2"]:
        """Return logits of the modalities."""
        for size in (1000, 500):
            x = nn.relu(nn.Dense(size)(x))
        return nn.Dense(2)(x)


class CmganNetwork(TwoStreams):
    """A network of one stream with a discriminator behind it.

    Attributes:
        reversal: factor on the gradient that the discriminator sends back, with its sign turned.
    """

    reversal: float = 0.05

    def setup(self) -> None:
        """Make the stream and the discriminator."""
        super().setup()
        self.discriminator = Discriminator()

    def __call__(
        self, visible: Float[Array, "b h w 3"], infrared: Float[Array, "b h w 3"], train: bool
    ) -> tuple[Outputs, Float[Array, "n 2"]]:
        """Return the outputs and the discriminator's logits."""
        outputs = super().__call__(visible, infrared, train)
        rows = outputs.embeddings[self.features[0].name]
        return outputs, self.discriminator(reverse_gradient(rows, self.reversal))


def make_loss(fields: Fields, network: TwoStreams) -> Loss:
    """Return softmax, `triplet` across the modalities, and `modality` of the discriminator."""
    margin, images = fields["loss.margin"], fields["sampler.K"]
    drawn = fields["loss.mining"] == "random"

    def triplet(visible, infrared, people):
        if drawn:
            return {"triplet": drawn_cross_triplet(visible, infrared, images, margin)}
        return {"triplet": hard_cross_triplet(visible, infrared, people, margin)}

    generator = with_softmax(network, triplet, fields["loss.triplet_start_step"], margin)

    def loss(
        outputs: tuple[Outputs, Array], labels: Int[Array, " n"], context: Context
    ) -> tuple[Float[Array, ""], dict[str, Array]]:
        (features, modality_logits), modalities = outputs, jnp.arange(len(labels)) % 2
        total, found = generator(features, labels, context)
        modality = jnp.mean(
            optax.softmax_cross_entropy_with_integer_labels(modality_logits, modalities)
        )
        return total + modality, found | {"modality": modality}

    return loss


def turns(fields: Fields) -> dict:
    """Update the discriminator in every fifth step, and all else in the other four."""

    def last(step):
        return step % _TURNS == _TURNS - 1

    return {
        "discriminator": last,
        **{name: lambda step: ~last(step) for name in ("backbone", "heads")},
    }


def _network(fields: Fields, identities: int, conv_impl: str) -> CmganNetwork:
    reversal = fields["loss.reversal"]
    return single_level(fields, identities, conv_impl, CmganNetwork, reversal=reversal)


METHOD = Method(
    title="cmGAN",
    reads=(
        *READS,
        "optim.lr_discriminator",
        "loss.margin",
        "loss.mining",
        "loss.triplet_start_step",
        "loss.reversal",
    ),
    network=_network,
    trained=Trained(
        make_loss,
        (*GROUPS, Group("discriminator", r"discriminator/.*")),
        watch_pairs("triplet"),
        turns,
    ),
)
