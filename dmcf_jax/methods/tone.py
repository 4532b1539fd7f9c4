"""TONE: softmax and a contrastive loss of pairs (Ye et al., AAAI 2018).

Deviation: ResNet-50 instead of two AlexNets; rows have unit length one by one, where the authors'
code normalises columns over the batch, as `loss.normalise` = 'batch' does.
"""

from dmcf_jax.methods.identity import READS
from dmcf_jax.methods.losses.tone_contrastive import half_of_other_people, pair_contrastive
from dmcf_jax.methods.method import Fields, Loss, Method, Trained
from dmcf_jax.methods.network import build
from dmcf_jax.methods.network.two_streams import TwoStreams
from dmcf_jax.methods.pairs import watch_pairs, with_softmax

_OWN = ("margin", "normalise", "contrastive_weight", "triplet_start_step")
TONE_READS = (*READS, *(f"loss.{name}" for name in _OWN))


def make_loss(fields: Fields, network: TwoStreams) -> Loss:
    """Return softmax and `contrastive`, half of whose pairs show two people."""

    def contrasted(visible, infrared, labels):
        partner, same = half_of_other_people(infrared, labels)
        value = pair_contrastive(
            visible, partner, same, fields["loss.margin"], fields["loss.normalise"]
        )
        return {"contrastive": fields["loss.contrastive_weight"] * value}

    return with_softmax(network, contrasted, fields["loss.triplet_start_step"])


TRAINED = Trained(make_loss, build.GROUPS, watch_pairs("contrastive"))
METHOD = Method("TONE", TONE_READS, build.single_level, TRAINED)
