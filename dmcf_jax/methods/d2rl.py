"""D2RL: each image beside its translation to the other modality (Wang et al., CVPR 2019).

Structure only: no code of its authors is known, and what is read of the paper gives few numbers.
Those of the translators are UNIT's; docs/decisions.md has all that is ours.

Deviation: one gradient for generators and discriminators, none of which passes from one to the
other's weights, in place of two updates.
"""

import dataclasses

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float, Int

from dmcf_jax.methods.losses.translation import Judged, Weights, translation_losses
from dmcf_jax.methods.losses.triplet import batch_hard_triplet
from dmcf_jax.methods.method import Context, Fields, Group, Loss, Method, Trained, Watched
from dmcf_jax.methods.network.build import GROUPS, STARTS, single_level
from dmcf_jax.methods.network.interleave import interleave
from dmcf_jax.methods.network.translators import Translated, Translators, unify
from dmcf_jax.methods.network.two_streams import Outputs, TwoStreams
from dmcf_jax.methods.optimizer import READS as OPTIMIZER_READS
from dmcf_jax.methods.pairs import watch_pairs, with_softmax
from dmcf_jax.modality import MODALITIES
from dmcf_jax.models.translation import Discriminator

# Applies a module whose weights get no gradient.
_frozen = nn.map_variables(lambda module, x: module(x), "params", jax.lax.stop_gradient)


class D2rlNetwork(TwoStreams):
    """Streams of unified images, which translators complete and discriminators judge.

    Attributes:
        translator_width, translator_blocks, shrink: see `Translators`; discriminators have the
            same width.
    """

    translator_width: int = 64
    translator_blocks: int = 4
    shrink: int = 2

    def setup(self) -> None:
        """Make the streams, the translators and the discriminators."""
        super().setup()
        width = self.translator_width
        self.translators = Translators(width, self.translator_blocks, self.shrink, self.dtype)
        self.discriminators = {name: Discriminator(width, self.dtype) for name in MODALITIES}

    def __call__(
        self, visible: Float[Array, "b h w 3"], infrared: Float[Array, "b h w 3"], train: bool
    ) -> tuple[Outputs, Translated, Judged]:
        """Return the outputs of the unified images, what was translated, and its scores."""
        made = self.translators(visible, infrared, train)
        outputs = super().__call__(
            unify(visible, made.fake["infrared"], "visible"),
            unify(infrared, made.fake["visible"], "infrared"),
            train,
        )
        return outputs, made, self._judged(made)

    def _judged(self, made):
        judges, shown = self.discriminators, jax.lax.stop_gradient(made.fake)
        return Judged(
            {name: judges[name](interleave(made.real[name], shown[name])) for name in MODALITIES},
            {name: _frozen(judges[name], made.fake[name]) for name in MODALITIES},
        )

    def feature_maps(
        self, images: Float[Array, "n h w 3"], modality: str, train: bool = False
    ) -> dict[str, Array]:
        """Return the outputs of every stage for the unified images, NHWC by stage name."""
        unified = unify(images, self.translators.translate(images, modality), modality)
        return super().feature_maps(unified, modality, train)


def joint_step(fields: Fields) -> int:
    """Return the first step in which the streams learn; before it, translation does alone."""
    return round(fields["translation.alone"] * fields["train.steps"])


def make_loss(fields: Fields, network: TwoStreams) -> Loss:
    """Return the losses of translation and, from the joint step on, softmax and `triplet`."""
    margin, start = fields["loss.margin"], joint_step(fields)
    weights = Weights(
        fields["translation.gan_weight"],
        fields["translation.reconstruction_weight"],
        fields["translation.cycle_weight"],
        fields["translation.latent_weight"],
    )

    def triplet(visible, infrared, people):
        rows = interleave(visible, infrared)
        return {"triplet": batch_hard_triplet(rows, jnp.repeat(people, 2), margin)}

    identity = with_softmax(network, triplet, fields["loss.triplet_start_step"], margin)

    def loss(
        outputs: tuple[Outputs, Translated, Judged], labels: Int[Array, " n"], context: Context
    ) -> tuple[Float[Array, ""], dict[str, Array]]:
        features, made, judged = outputs
        total, found = identity(features, labels, context)
        total = jnp.where(context.step >= start, total, 0.0)
        parts = translation_losses(made, judged, weights)
        return total + jnp.sum(jnp.stack(list(parts.values()))), found | parts

    return loss


def turns(fields: Fields) -> dict:
    """Update streams and heads from the joint step on."""
    start = joint_step(fields)
    return dict.fromkeys(("backbone", "heads"), lambda step: step >= start)


def factors(fields: Fields) -> dict:
    """Lower the rates of translators and discriminators from the joint step on."""
    start, low = joint_step(fields), fields["translation.joint_factor"]
    names = ("translator", "discriminator")
    return dict.fromkeys(names, lambda step: jnp.where(step >= start, low, 1.0))


def _watched(fields: Fields, network: TwoStreams) -> Watched:
    pairs = watch_pairs("triplet", fields["loss.margin"])(fields, network)
    start = joint_step(fields)
    return pairs._replace(triplets_from=max(start, pairs.triplets_from), softmax_from=start)


def _network(fields: Fields, identities: int, conv_impl: str) -> D2rlNetwork:
    own = {
        "translator_width": fields["translation.width"],
        "translator_blocks": fields["translation.blocks"],
        "shrink": fields["translation.shrink"],
    }
    return single_level(fields, identities, conv_impl, D2rlNetwork, **own)


# Of the room 'model' all but the input, which is the unified image.
_MODEL = {f"model.{field.name}" for field in dataclasses.fields(TwoStreams)} - {"model.input"}
METHOD = Method(
    title="D2RL",
    reads=(
        *sorted(_MODEL),
        *(f"model.{name}" for name in STARTS),
        *OPTIMIZER_READS,
        *(f"optim.lr_{name}" for name in ("backbone", "heads", "translator", "discriminator")),
        "loss.softmax_scale",
        "loss.margin",
        "loss.triplet_start_step",
        "translation.*",
    ),
    network=_network,
    trained=Trained(
        make_loss,
        (
            *GROUPS,
            Group("translator", r"translators/.*"),
            Group("discriminator", r"discriminators_.*"),
        ),
        _watched,
        turns,
        factors=factors,
    ),
)
