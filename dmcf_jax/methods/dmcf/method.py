"""DMCF: eleven losses of three levels, weighted by learned sigmas (Cheng et al., 2020)."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from dmcf_jax.methods.dmcf import losses
from dmcf_jax.methods.losses.statistics import watch
from dmcf_jax.methods.method import VIEWS, Context, Fields, Group, Loss, Method, Trained, Watched
from dmcf_jax.methods.network import build
from dmcf_jax.methods.network.levels import levels_of
from dmcf_jax.methods.network.two_streams import Outputs, TwoStreams

GROUPS = (
    *build.GROUPS,
    Group("log_variance", r"log_variance", decayed=False),
)


def make_loss(fields: Fields, network: TwoStreams) -> Loss:
    """Return eq. 15, or the plain sum of the levels until its start, with all its parts."""
    settings, start = losses.settings_of(fields), fields["loss.triplet_start_step"]
    return loss_of(network, settings, start, fields["mtl.start_step"])


def loss_of(
    network: TwoStreams,
    settings: losses.LossSettings,
    triplet_start_step: int,
    weighting_start_step: int,
) -> Loss:
    """Return the loss of the network's outputs.

    It logs `L1`.., `level_*`, `sigma_*` and four statistics of each triplet feature, such as
    `spread_G1`.

    Args:
        triplet_start_step: first step whose triplet losses count; 0 in the paper.
        weighting_start_step: first step that uses eq. 15 instead of the plain sum.
    """
    terms = losses.loss_terms_of(network.features)

    def loss(
        outputs: Outputs, labels: Int[Array, " n"], context: Context
    ) -> tuple[Float[Array, ""], dict[str, Array]]:
        mined = context.step >= triplet_start_step
        by_term = losses.loss_terms(outputs, labels, terms, settings, mined)
        by_level = losses.sum_levels(by_term, terms)
        log_variance = context.params["log_variance"]
        total = losses.total_loss(
            jnp.stack(list(by_level.values())),
            log_variance,
            context.step >= weighting_start_step,
        )
        mined_on = {t.feature: outputs.embeddings[t.feature] for t in terms if t.kind == "triplet"}
        return total, {
            **by_term,
            **{f"level_{name}": value for name, value in by_level.items()},
            **watch(mined_on, labels, settings.hinge),
            **sigmas(log_variance, levels_of(network.features)),
        }

    return loss


def sigmas(log_variance: Float[Array, " l"], levels: tuple[str, ...]) -> dict[str, Array]:
    """Return `sigma_<level>` for each level: exp(log sigma^2 / 2)."""
    log_variance = jax.lax.stop_gradient(log_variance)
    return {f"sigma_{level}": jnp.exp(0.5 * log_variance[i]) for i, level in enumerate(levels)}


def watched(fields: Fields, network: TwoStreams) -> Watched:
    """Return what the alarms look at: every loss, distances relative to the margin."""
    return Watched(
        losses.loss_terms_of(network.features),
        losses.settings_of(fields).scale,
        fields["loss.triplet_start_step"],
    )


def _turns(fields: Fields) -> dict:
    """Train the sigmas from the step on whose loss depends on them."""
    return {"log_variance": lambda step: step >= fields["mtl.start_step"]}


METHOD = Method(
    title="DMCF",
    reads=(
        "model.*",
        "mtl.*",
        "optim.*",
        *losses.READS,
        "loss.triplet_start_step",
        "loss.softmax_scale",
        VIEWS,
    ),
    network=build.build_network,
    trained=Trained(make_loss, GROUPS, watched, _turns, losses.in_papers_range),
)
