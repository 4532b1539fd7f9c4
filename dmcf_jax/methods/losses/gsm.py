"""GSM: a generalised similarity of two domains (Lin et al., TPAMI 2017), and its hinge.

S(x, z) = |A f|^2 + |B g|^2 + 2 d.f - 2 (C_x f).(C_z g) + 2 e.g + s, smaller for the same person.
The linear maps are the last layer of each modality, whose outputs come in here.
"""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


def bilinear_terms(
    outputs: Float[Array, "n o"],
) -> tuple[Float[Array, "n r"], Float[Array, " n"]]:
    """Return C f, and |A f|^2 + 2 d.f, of one modality.

    S is the sum of both sides' second terms, less twice the product of the first, plus s. This is
    what `dmcf_jax.models.cross_metric` makes unit vectors of.

    Args:
        outputs: [A f, C f, d.f] of each image, o = 2 r + 1.
    """
    size = outputs.shape[1] // 2
    own, cross, linear = outputs[:, :size], outputs[:, size : 2 * size], outputs[:, -1]
    return cross, jnp.sum(own**2, axis=1) + 2.0 * linear


def pair_similarity(
    visible: Float[Array, "n o"], infrared: Float[Array, "n o"], offset: Float[Array, ""] | float
) -> Float[Array, " n"]:
    """Return S of each visible row and its infrared partner.

    Args:
        visible, infrared: outputs of the last layers, as above.
        offset: s.
    """
    (cross_x, square_x), (cross_z, square_z) = bilinear_terms(visible), bilinear_terms(infrared)
    return square_x + square_z - 2.0 * jnp.sum(cross_x * cross_z, axis=1) + offset


def similarity_hinge(
    similarities: Float[Array, "..."], same: Bool[Array, "..."]
) -> Float[Array, ""]:
    """Return the mean of max(0, 1 + S) over pairs of one person and max(0, 1 - S) over others."""
    signed = jnp.where(same, similarities, -similarities)
    return jnp.mean(jnp.maximum(1.0 + signed, 0.0))


def gsm_loss(
    visible: Float[Array, "b o"],
    infrared: Float[Array, "b o"],
    labels: Int[Array, " b"],
    offset: Float[Array, ""] | float,
) -> Float[Array, ""]:
    """Return the hinge over each visible row with its own infrared row and with the one before.

    With one image of each person in a batch, half of the pairs show two people.

    Args:
        visible, infrared: outputs of the last layers; row i of both shows the person `labels[i]`.
        offset: s.
    """
    rolled = jnp.roll(infrared, 1, axis=0)
    pairs = [pair_similarity(visible, other, offset) for other in (infrared, rolled)]
    same = jnp.concatenate([labels == labels, labels == jnp.roll(labels, 1)])
    return similarity_hinge(jnp.concatenate(pairs), same)
