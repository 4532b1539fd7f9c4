"""Losses of one feature: softmax on its logits, and a loss of its visible and infrared rows."""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from dmcf_jax.methods.identity import softmax_losses, softmax_terms
from dmcf_jax.methods.losses.statistics import watch
from dmcf_jax.methods.method import Context, Fields, Loss, LossTerm, Watched
from dmcf_jax.methods.network.two_streams import Outputs, TwoStreams

# (visible rows [b d], infrared rows [b d], labels [b]) -> losses by name, weighted
PairLoss = Callable[
    [Float[Array, "b d"], Float[Array, "b d"], Int[Array, " b"]], dict[str, Float[Array, ""]]
]


def with_softmax(
    network: TwoStreams, pair_loss: PairLoss, start_step: int, margin: float = 0.0
) -> Loss:
    """Return the softmax losses plus, on the first feature, `pair_loss` from `start_step` on.

    It logs L1, L2, .. of the softmax, the losses of `pair_loss`, which are 0 until then, and the
    statistics of the feature.

    Args:
        margin: of the statistics, see `embedding_statistics`.
    """
    terms, feature = softmax_terms(network), network.features[0].name

    def loss(
        outputs: Outputs, labels: Int[Array, " n"], context: Context
    ) -> tuple[Float[Array, ""], dict[str, Array]]:
        rows = outputs.embeddings[feature]
        found = softmax_losses(outputs, labels, terms, 0.0)
        for name, value in pair_loss(rows[0::2], rows[1::2], labels[0::2]).items():
            found[name] = jnp.where(context.step >= start_step, value, 0.0)
        return jnp.sum(jnp.stack(list(found.values()))), found | watch(
            {feature: rows}, labels, margin
        )

    return loss


def watch_pairs(name: str, scale: float = 0.0) -> Callable[[Fields, TwoStreams], Watched]:
    """Return what the alarms look at where the loss `name` is one of distances of the feature."""

    def watched(fields: Fields, network: TwoStreams) -> Watched:
        pair = LossTerm(name, "triplet", network.features[0].name)
        return Watched((*softmax_terms(network), pair), scale, fields["loss.triplet_start_step"])

    return watched
