"""Identity networks: softmax over people, on one or two streams (Wu et al., ICCV 2017; Ye 2019).

One stream, two streams and zero padding differ in `model.shared_from`, `data.input` and
`model.input` alone; see the rows of these names in configs/_rows.py.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from dmcf_jax.methods.losses.softmax import softmax_cross_entropy
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
from dmcf_jax.methods.optimizer import READS as OPTIMIZER_READS

READS = (*build.READS, *OPTIMIZER_READS, "optim.lr_backbone", "optim.lr_heads")


def softmax_terms(network: TwoStreams) -> tuple[LossTerm, ...]:
    """Return L1, L2, ...: the softmax loss of each feature."""
    return tuple(
        LossTerm(f"L{number}", "softmax", feature.name, feature.level)
        for number, feature in enumerate(network.features, start=1)
    )


def softmax_losses(
    outputs: Outputs, labels: Int[Array, " n"], terms: tuple[LossTerm, ...], smoothing: float
) -> dict[str, Float[Array, ""]]:
    """Return the losses of `terms` by name, each the mean over all rows."""
    return {
        term.name: softmax_cross_entropy(outputs.logits[term.feature], labels, smoothing)
        for term in terms
    }


def make_loss(fields: Fields, network: TwoStreams) -> Loss:
    """Return the sum of the softmax losses."""
    terms, smoothing = softmax_terms(network), fields["loss.label_smoothing"]

    def loss(
        outputs: Outputs, labels: Int[Array, " n"], context: Context
    ) -> tuple[Float[Array, ""], dict[str, Array]]:
        found = softmax_losses(outputs, labels, terms, smoothing)
        return jnp.sum(jnp.stack(list(found.values()))), found

    return loss


METHOD = Method(
    title="Identity network",
    reads=(*READS, "loss.label_smoothing", VIEWS),
    network=build.single_level,
    trained=Trained(
        make_loss, build.GROUPS, lambda fields, network: Watched(softmax_terms(network))
    ),
)
