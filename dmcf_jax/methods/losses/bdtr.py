"""BDTR's bi-directional top-ranking losses (Ye et al., IJCAI 2018), the paper's Baseline."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from dmcf_jax.methods.losses.cross_modality import (
    cross_distances,
    hardest_across,
    mean_of,
    row_distances,
)
from dmcf_jax.methods.losses.distances import same_label, unit_rows


def bidirectional_ranking(
    visible: Float[Array, "b d"],
    infrared: Float[Array, "b d"],
    labels: Int[Array, " b"],
    margin: float,
    intra_margin: float,
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Return the cross-modality and the intra-modality term, not weighted.

    With D the distances of unit rows, p the farthest infrared row of visible row i's person and n
    the nearest of another's: the cross term is the mean of max(0, D_ip - D_in + margin), the intra
    term that of max(0, intra_margin - |t_p - t_n|), which pushes the right row and the nearest
    wrong one apart. Both are summed over the two directions. With one image of each person, as
    published, p is i. Rows without a row of another person are not counted.

    Args:
        visible, infrared: of any length; row i of both shows the person `labels[i]`.
        margin: 0.5 in the authors' code.
        intra_margin: 0.1 in the authors' code, which also weights that term by 0.1.
    """
    visible, infrared = unit_rows(visible), unit_rows(infrared)
    distances, same = cross_distances(visible, infrared), same_label(labels)
    there = _one_direction(distances, same, infrared, margin, intra_margin)
    back = _one_direction(distances.T, same, visible, margin, intra_margin)
    return there[0] + back[0], there[1] + back[1]


def _one_direction(
    distances: Float[Array, "b b"],
    same: Bool[Array, "b b"],
    candidates: Float[Array, "b d"],
    margin: float,
    intra_margin: float,
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    own, other, counted = hardest_across(distances, same)
    to_own, to_other = (jnp.take_along_axis(distances, c[:, None], 1)[:, 0] for c in (own, other))
    cross = jnp.maximum(margin + to_own - to_other, 0.0)
    intra = jnp.maximum(intra_margin - row_distances(candidates[own], candidates[other]), 0.0)
    return mean_of(cross, counted), mean_of(intra, counted)
