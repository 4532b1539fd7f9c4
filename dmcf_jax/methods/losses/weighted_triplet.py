"""Triplet losses of distances weighted by a softmax: AGW's, and CAJ's squared difference."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from dmcf_jax.methods.losses.cross_modality import mean_of
from dmcf_jax.methods.losses.distances import pairwise_distances, same_label

CAP = 88.0  # the largest x with a float32 exp(x)


def weighted_distances(
    embeddings: Float[Array, "n d"], labels: Int[Array, " n"]
) -> tuple[Float[Array, " n"], Float[Array, " n"], Bool[Array, " n"]]:
    """Return each row's weighted distance to its own and to other people's rows.

    The weights are the softmax of the distances over the rows of the same label, itself among
    them, and that of their negatives over all others: soft forms of farthest and nearest. Rows
    that do not count are left out of the softmax, so that no weight underflows.

    Returns:
        own, other, and whether the batch has a row of another label; where not, `other` is that
        to all rows.
    """
    distances, same = pairwise_distances(embeddings), same_label(labels)
    counted = jnp.any(~same, axis=1)
    others = ~same | ~counted[:, None]
    own = jax.nn.softmax(distances, axis=1, where=same)
    other = jax.nn.softmax(-distances, axis=1, where=others)
    return jnp.sum(own * distances, axis=1), jnp.sum(other * distances, axis=1), counted


def weighted_triplet(embeddings: Float[Array, "n d"], labels: Int[Array, " n"]) -> Float[Array, ""]:
    """Return AGW's weighted regularised triplet loss (Ye et al., TPAMI 2021).

    log(1 + exp(own - other)) of the weighted distances, averaged over the rows that have both.

    Deviation: the authors' code multiplies by a mask within the softmax, so that its maximum is
    taken over wrong entries and large distances underflow to weights of 0; entries that do not
    count are left out here.
    """
    own, other, counted = weighted_distances(embeddings, labels)
    return mean_of(jax.nn.softplus(own - other), counted)


def squared_difference_triplet(
    embeddings: Float[Array, "n d"], labels: Int[Array, " n"]
) -> Float[Array, ""]:
    """Return CAJ's triplet loss (Ye et al., ICCV 2021), which pulls the harder the more is wrong.

    With q = min((own - other)^2, 88) of the weighted distances: log(1 + exp(q)) where own is the
    larger, log(1 + exp(-q)) elsewhere, averaged over the rows. Beyond the cap, 9.4 in units of
    distance, a row has no gradient, as in the authors' code: embeddings should not be that long.
    """
    own, other, counted = weighted_distances(embeddings, labels)
    difference = own - other
    squared = jnp.minimum(difference**2, CAP)
    return mean_of(jax.nn.softplus(jnp.where(difference > 0, squared, -squared)), counted)
