"""The eleven losses, their level sums and the learned weighting: eq. 8-15 of the paper.

Pure functions of float32 arrays. Equation numbers follow Cheng et al., IEEE Access 2020.
"""

from typing import NamedTuple

import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int

from dmcf_jax.methods.losses.contrastive import cross_contrastive, supervised_contrastive
from dmcf_jax.methods.losses.hetero_centre import hetero_centre, hetero_centre_triplet
from dmcf_jax.methods.losses.softmax import softmax_cross_entropy
from dmcf_jax.methods.losses.triplet import (
    batch_hard_triplet,
    soft_margin_triplet,
)
from dmcf_jax.methods.losses.weighted_triplet import squared_difference_triplet, weighted_triplet
from dmcf_jax.methods.method import Fields, LossTerm
from dmcf_jax.methods.network.levels import Feature
from dmcf_jax.methods.network.two_streams import Outputs

KINDS = (
    "batch_hard",
    "soft_margin",
    "weighted",
    "squared_difference",
    "centre_triplet",
    "centre",
    "contrastive",
    "supervised_contrastive",
    "none",
)

OF_PAIRS = ("centre_triplet", "contrastive")  # need one visible and one infrared row in turn

# The paper's range of log sigma^2 (below eq. 15).
LOG_VARIANCE_RANGE = (-2.0, 5.0)


class LossSettings(NamedTuple):
    """Which losses are taken, and their constants.

    Attributes:
        margin: of the batch-hard triplet losses, of rows or centres.
        kind: of the losses L1, L3, L7 of distances, one of `KINDS`.
        triplet_weight: factor of these losses, also as they are logged.
        temperature: of the contrastive losses.
        label_smoothing: of the softmax losses.
        images: K, the images of each person and modality in a batch, whose mean is a centre.
    """

    margin: float
    kind: str = "batch_hard"
    triplet_weight: float = 1.0
    temperature: float = 0.1
    label_smoothing: float = 0.0
    images: int = 1

    @property
    def hinge(self) -> float:
        """The margin of kinds that have one, else 0: whether a triplet counts as active."""
        return self.margin if self.kind in ("batch_hard", "centre_triplet") else 0.0

    @property
    def scale(self) -> float:
        """What alarms compare distances between people with, see `Watched`."""
        unit = 1.0 if self.kind in ("soft_margin", "weighted", "squared_difference") else 0.0
        return self.hinge or unit

    def distance_loss(
        self, embeddings: Float[Array, "n d"], labels: Int[Array, " n"]
    ) -> Float[Array, ""]:
        """Return the loss of the chosen kind; rows are (visible, infrared) interleaved."""
        if self.kind == "batch_hard":
            return batch_hard_triplet(embeddings, labels, self.margin)
        if self.kind == "soft_margin":
            return soft_margin_triplet(embeddings, labels)
        if self.kind == "weighted":
            return weighted_triplet(embeddings, labels)
        if self.kind == "squared_difference":
            return squared_difference_triplet(embeddings, labels)
        if self.kind == "centre_triplet":
            sides = embeddings[0::2], embeddings[1::2]
            return hetero_centre_triplet(*sides, labels[::2], self.images, self.margin)
        if self.kind == "centre":
            return hetero_centre(embeddings[0::2], embeddings[1::2], self.images)
        if self.kind == "supervised_contrastive":
            return supervised_contrastive(embeddings, labels, self.temperature)
        if self.kind == "contrastive":
            pairs = embeddings.reshape(-1, 2, embeddings.shape[1])
            return cross_contrastive(pairs[:, 0], pairs[:, 1], labels[::2], self.temperature)
        return jnp.zeros((), embeddings.dtype)


# What `settings_of` reads beside sampler.K, which concerns every run.
READS = tuple(f"loss.{name}" for name in LossSettings._fields if name != "images")


def settings_of(fields: Fields) -> LossSettings:
    """Return the settings that config fields describe."""
    own = {name.removeprefix("loss."): fields[name] for name in READS}
    return LossSettings(images=fields["sampler.K"], **own)


def loss_terms_of(features: tuple[Feature, ...]) -> tuple[LossTerm, ...]:
    """Return L1, L2, ... in the paper's order: triplet and softmax on each G, softmax on each R."""
    kinds = [
        (kind, feature)
        for feature in features
        for kind in (("triplet", "softmax") if feature.is_global else ("softmax",))
    ]
    return tuple(
        LossTerm(f"L{number}", kind, feature.name, feature.level)
        for number, (kind, feature) in enumerate(kinds, start=1)
    )


def in_papers_range(params: dict) -> dict:
    """Return `params` with log sigma^2 projected to the paper's range."""
    box = optax.projections.projection_box(params["log_variance"], *LOG_VARIANCE_RANGE)
    return params | {"log_variance": box}


def weigh_levels(
    level_losses: Float[Array, " l"], log_variance: Float[Array, " l"]
) -> Float[Array, ""]:
    """Return the total loss of eq. 15: the sum of L / (2 sigma^2) + log sigma over the levels.

    Args:
        level_losses: the level sums of eq. 12-14, low to high.
        log_variance: log sigma^2 of each level, learned.
    """
    return jnp.sum(0.5 * jnp.exp(-log_variance) * level_losses + 0.5 * log_variance)


def loss_terms(
    outputs: Outputs,
    labels: Int[Array, " n"],
    terms: tuple[LossTerm, ...],
    settings: LossSettings,
    mined: Bool[Array, ""],
) -> dict[str, Array]:
    """Return every loss of `terms` by name (L1..L11 for the paper's network), scalars.

    Args:
        labels: class of each of the 2b interleaved rows.
        mined: whether the triplet losses count yet; until then they are 0.
    """
    return {
        term.name: jnp.where(
            mined,
            settings.triplet_weight
            * settings.distance_loss(outputs.embeddings[term.feature], labels),
            0.0,
        )
        if term.kind == "triplet"
        else softmax_cross_entropy(outputs.logits[term.feature], labels, settings.label_smoothing)
        for term in terms
    }


def sum_levels(losses: dict[str, Array], terms: tuple[LossTerm, ...]) -> dict[str, Array]:
    """Return the level losses of eq. 12-14 by level name, low to high."""
    levels = dict.fromkeys(term.level for term in terms)
    return {
        level: jnp.sum(jnp.stack([losses[term.name] for term in terms if term.level == level]))
        for level in levels
    }


def total_loss(
    level_losses: Float[Array, " l"], log_variance: Float[Array, " l"], weighted: Bool[Array, ""]
) -> Float[Array, ""]:
    """Return eq. 15 where `weighted`, else the plain sum of the levels (section IV.E).

    Both live in one compiled step; while the sum is plain the gradient of `log_variance` is zero.
    """
    return jnp.where(weighted, weigh_levels(level_losses, log_variance), jnp.sum(level_losses))
