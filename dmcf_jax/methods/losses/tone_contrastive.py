"""TONE's contrastive loss of pairs (Ye et al., AAAI 2018)."""

from typing import Literal

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from dmcf_jax.methods.losses.cross_modality import row_distances
from dmcf_jax.methods.losses.distances import unit_rows


def pair_contrastive(
    visible: Float[Array, "b d"],
    infrared: Float[Array, "b d"],
    same: Bool[Array, " b"],
    margin: float,
    normalise: Literal["feature", "batch"] = "feature",
) -> Float[Array, ""]:
    """Return half the mean of d^2 over pairs of one person and of max(0, margin - d)^2 over others.

    Args:
        visible, infrared: of any length; pair i is row i of both.
        same: whether a pair shows one person.
        margin: of the distance d of the normalised rows, 0.5 in the authors' code.
        normalise: "feature" gives each row the length 1. Deviation: the authors' code gives it to
            each column, over the batch, most likely by oversight; "batch" does so too.
    """
    if normalise == "batch":
        visible, infrared = unit_rows(visible.T).T, unit_rows(infrared.T).T
    else:
        visible, infrared = unit_rows(visible), unit_rows(infrared)
    squared = jnp.sum((visible - infrared) ** 2, axis=1)
    apart = jnp.maximum(margin - row_distances(visible, infrared), 0.0) ** 2
    return 0.5 * jnp.mean(jnp.where(same, squared, apart))


def half_of_other_people(
    infrared: Float[Array, "b d"], labels: Int[Array, " b"]
) -> tuple[Float[Array, "b d"], Bool[Array, " b"]]:
    """Return a partner for each visible row, and whether it shows the same person.

    The first half keep the infrared row of their own; the others get that of the row before, which
    is another person's where a batch has one image of each.
    """
    moved = jnp.arange(len(labels)) >= len(labels) // 2
    rows = jnp.where(moved[:, None], jnp.roll(infrared, 1, axis=0), infrared)
    return rows, labels == jnp.where(moved, jnp.roll(labels, 1), labels)
