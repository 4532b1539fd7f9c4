"""AGW: softmax behind a batch norm, and weighted triplets in front of it (Ye et al., TPAMI 2021).

What is special of it are its fields: `model.head`, `model.pool`, `model.last_stride`, `loss.kind`;
see the rows `agw`, `caj` and `strong` in configs/_rows.py. docs/recipes.md says what differs.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from dmcf_jax.methods.dmcf import losses
from dmcf_jax.methods.identity import READS as IDENTITY_READS
from dmcf_jax.methods.losses.statistics import watch
from dmcf_jax.methods.method import (
    VIEWS,
    Context,
    Fields,
    Loss,
    LossTerm,
    Method,
    Trained,
    Watched,
)
from dmcf_jax.methods.network import build
from dmcf_jax.methods.network.two_streams import Outputs, TwoStreams

READS = (*IDENTITY_READS, *losses.READS, "loss.triplet_start_step", VIEWS)


def make_loss(fields: Fields, network: TwoStreams) -> Loss:
    """Return the sum of the losses of all features."""
    return sum_of(losses.loss_terms_of(network.features), fields)


def sum_of(terms: tuple[LossTerm, ...], fields: Fields) -> Loss:
    """Return the plain sum of `terms`, which logs each by name and how far features are apart."""
    settings, start = losses.settings_of(fields), fields["loss.triplet_start_step"]
    mined_on = tuple(term.feature for term in terms if term.kind == "triplet")

    def loss(
        outputs: Outputs, labels: Int[Array, " n"], context: Context
    ) -> tuple[Float[Array, ""], dict[str, Array]]:
        found = losses.loss_terms(outputs, labels, terms, settings, context.step >= start)
        rows = {name: outputs.embeddings[name] for name in mined_on}
        total = jnp.sum(jnp.stack(list(found.values())))
        return total, found | watch(rows, labels, settings.hinge)

    return loss


def watch_terms(terms: tuple[LossTerm, ...], fields: Fields) -> Watched:
    """Return what the alarms look at where `terms` are the losses."""
    return Watched(terms, losses.settings_of(fields).scale, fields["loss.triplet_start_step"])


def watched(fields: Fields, network: TwoStreams) -> Watched:
    """Return what the alarms look at: every loss."""
    return watch_terms(losses.loss_terms_of(network.features), fields)


METHOD = Method("AGW", READS, build.single_level, Trained(make_loss, build.GROUPS, watched))
