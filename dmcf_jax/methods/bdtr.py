"""BDTR: softmax and two-way ranking of unit rows (Ye et al., IJCAI 2018), the paper's baseline.

Deviation: ResNet-50 with one batch-norm head instead of two AlexNets, which the row `bdtr_alexnet`
has; batch norm uses its running statistics in evaluation, where the authors' code uses those of the
test batch.
"""

from dmcf_jax.methods.identity import READS
from dmcf_jax.methods.losses.bdtr import bidirectional_ranking
from dmcf_jax.methods.method import Fields, Loss, Method, Trained
from dmcf_jax.methods.network import build
from dmcf_jax.methods.network.two_streams import TwoStreams
from dmcf_jax.methods.pairs import watch_pairs, with_softmax


def make_loss(fields: Fields, network: TwoStreams) -> Loss:
    """Return softmax, `ranking` across the modalities, and `intra` within them."""

    def ranked(visible, infrared, labels):
        cross, intra = bidirectional_ranking(
            visible, infrared, labels, fields["loss.margin"], fields["loss.intra_margin"]
        )
        return {"ranking": cross, "intra": fields["loss.intra_weight"] * intra}

    return with_softmax(network, ranked, fields["loss.triplet_start_step"])


METHOD = Method(
    title="BDTR",
    reads=(
        *READS,
        "loss.margin",
        "loss.intra_margin",
        "loss.intra_weight",
        "loss.triplet_start_step",
    ),
    network=build.single_level,
    trained=Trained(make_loss, build.GROUPS, watch_pairs("ranking")),
)
