"""Part features with triplets of centres (Liu et al., IEEE TMM 2021): `hctri`.

Each level is its stripes; only a level of one stripe has a feature of the whole map. A loss of
distances acts on each feature, times `loss.triplet_weight`, and on all of them side by side.
"""

from functools import partial
from itertools import product

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from dmcf_jax.methods import agw
from dmcf_jax.methods.dmcf import losses
from dmcf_jax.methods.method import Context, Fields, Loss, LossTerm, Method, Trained, Watched
from dmcf_jax.methods.network.build import GROUPS, single_level
from dmcf_jax.methods.network.levels import Feature
from dmcf_jax.methods.network.two_streams import Outputs, TwoStreams


class PartNetwork(TwoStreams):
    """A network whose levels are their stripes."""

    @property
    def features(self) -> tuple[Feature, ...]:
        """The pooled features: the stripes, and the whole map of a level that has only one."""
        return tuple(one for one in super().features if not one.is_global or one.stripes == 1)


def part_terms(network: TwoStreams) -> tuple[LossTerm, ...]:
    """Return L1, L2, ...: the loss of distances and the softmax loss of each feature in turn."""
    pairs = product(network.features, ("triplet", "softmax"))
    return tuple(
        LossTerm(f"L{number}", kind, feature.name, feature.level)
        for number, (feature, kind) in enumerate(pairs, start=1)
    )


def make_loss(fields: Fields, network: TwoStreams) -> Loss:
    """Return the sum of the losses of each feature, and `whole`, that of all side by side."""
    parts, settings = agw.sum_of(part_terms(network), fields), losses.settings_of(fields)
    start = fields["loss.triplet_start_step"]

    def loss(
        outputs: Outputs, labels: Int[Array, " n"], context: Context
    ) -> tuple[Float[Array, ""], dict[str, Array]]:
        total, found = parts(outputs, labels, context)
        rows = jnp.concatenate(list(outputs.embeddings.values()), axis=1)
        whole = jnp.where(context.step >= start, settings.distance_loss(rows, labels), 0.0)
        return total + whole, found | {"whole": whole}

    return loss


def watched(fields: Fields, network: TwoStreams) -> Watched:
    """Return what the alarms look at: every loss of a feature."""
    return agw.watch_terms(part_terms(network), fields)


METHOD = Method(
    "HcTri", agw.READS, partial(single_level, kind=PartNetwork), Trained(make_loss, GROUPS, watched)
)
