"""Losses of centres: the mean row of each person and modality."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from dmcf_jax.methods.losses.triplet import batch_hard_triplet


def centres(rows: Float[Array, "b d"], images: int) -> Float[Array, "p d"]:
    """Return the mean row of each person.

    Args:
        rows: of one modality; persons follow each other, `images` rows of each.
        images: K, the images of each person and modality.
    """
    return jnp.mean(rows.reshape(-1, images, rows.shape[1]), axis=1)


def hetero_centre_triplet(
    visible: Float[Array, "b d"],
    infrared: Float[Array, "b d"],
    labels: Int[Array, " b"],
    images: int,
    margin: float,
) -> Float[Array, ""]:
    """Return the batch-hard triplet loss of the centres (Liu et al., IEEE TMM 2021).

    A person has two centres, so the farthest of its own is that of the other modality.

    Args:
        visible, infrared: row i of both shows `labels[i]`; persons follow each other.
        labels: a person's are equal, `images` of them; each person appears once.
        images: K, the images of each person and modality.
        margin: in units of Euclidean distance, 0.3 in the authors' code.
    """
    both = jnp.concatenate([centres(visible, images), centres(infrared, images)])
    return batch_hard_triplet(both, jnp.tile(labels[::images], 2), margin)


def hetero_centre(
    visible: Float[Array, "b d"], infrared: Float[Array, "b d"], images: int
) -> Float[Array, ""]:
    """Return the sum over persons of the squared distance of their two centres.

    Of Zhu et al., Neurocomputing 2020; weighted by 0.5 in the authors' code, with 8 images of each.
    It pulls only, so the softmax losses must keep people apart.

    Args:
        visible, infrared: persons follow each other, in the same order.
        images: K, the images of each person and modality.
    """
    return jnp.sum((centres(visible, images) - centres(infrared, images)) ** 2)
