"""Triplets whose positive and negative are of the other modality (cmGAN, IJCAI 2018)."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from dmcf_jax.methods.losses.cross_modality import (
    cross_distances,
    hardest_across,
    mean_of,
    row_distances,
)
from dmcf_jax.methods.losses.distances import same_label


def hard_cross_triplet(
    visible: Float[Array, "b d"],
    infrared: Float[Array, "b d"],
    labels: Int[Array, " b"],
    margin: float,
) -> Float[Array, ""]:
    """Return the triplet loss with the hardest rows of the other modality.

    Each visible row is an anchor: max(0, margin + farthest - nearest) of its distances to infrared
    rows of its person and of others; the mean over anchors, plus the same from infrared to visible.
    Anchors without a row of another person are not counted.

    Args:
        visible, infrared: row i of both shows the person `labels[i]`; not normalised in cmGAN.
        margin: in units of Euclidean distance, 1.4 in cmGAN.
    """
    distances, same = cross_distances(visible, infrared), same_label(labels)
    return _hinges(distances, same, margin) + _hinges(distances.T, same, margin)


def _hinges(distances, same, margin):
    *chosen, counted = hardest_across(distances, same)
    own, other = (jnp.take_along_axis(distances, c[:, None], axis=1)[:, 0] for c in chosen)
    return mean_of(jnp.maximum(margin + own - other, 0.0), counted)


def drawn_cross_triplet(
    visible: Float[Array, "b d"],
    infrared: Float[Array, "b d"],
    images: int,
    margin: float,
) -> Float[Array, ""]:
    """Return the triplet loss with rows of the other modality that nobody chose.

    For image k of a person, the positive is image k + 1 of the other modality and the negative is
    image k of the next person. The sampler has drawn persons and images, so both are random.

    Args:
        visible, infrared: persons follow each other, `images` rows of each, at least two persons.
        images: K, the images of each person and modality.
        margin: in units of Euclidean distance.
    """
    people = (
        visible.reshape(-1, images, visible.shape[1]),
        infrared.reshape(-1, images, infrared.shape[1]),
    )
    sides = (people[0], people[1]), (people[1], people[0])
    total = jnp.zeros((), visible.dtype)
    for anchors, others in sides:
        own = _flat_distances(anchors, jnp.roll(others, -1, axis=1))
        other = _flat_distances(anchors, jnp.roll(others, -1, axis=0))
        total += jnp.mean(jnp.maximum(margin + own - other, 0.0))
    return total


def _flat_distances(anchors, others):
    width = anchors.shape[-1]
    return row_distances(anchors.reshape(-1, width), others.reshape(-1, width))
