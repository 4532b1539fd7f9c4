"""Losses of the distances between rows: the batch-hard triplet and its soft form.

Rows of both modalities count alike. An anchor without a row of another label in the batch adds
nothing and is not counted.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from dmcf_jax.methods.losses.distances import pairwise_distances, same_label


def hardest(
    distances: Float[Array, "n n"], labels: Int[Array, " n"]
) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """Return each row's distance to its farthest own and to its nearest other row.

    The latter is infinite where the batch has no other label.
    """
    same = same_label(labels)
    farthest = jnp.max(jnp.where(same, distances, 0.0), axis=1)
    nearest = jnp.min(jnp.where(same, jnp.inf, distances), axis=1)
    return farthest, nearest


def batch_hard_triplet(
    embeddings: Float[Array, "n d"], labels: Int[Array, " n"], margin: float
) -> Float[Array, ""]:
    """Return the batch-hard triplet loss: L1, L3, L7 (eq. 8) on G1, G2, G3.

    Each row is an anchor: its farthest row of the same label and its nearest row of another
    label give max(0, margin + farthest - nearest), averaged over the rows (Hermans et al. 2017,
    the paper's reference [32]).

    Args:
        embeddings: not normalised; a margin of 1.8 makes no sense on unit vectors.
        labels: identity of each row.
        margin: in units of Euclidean distance, 1.8 in the paper.
    """
    farthest, nearest = hardest(pairwise_distances(embeddings), labels)
    counted = jnp.isfinite(nearest)
    hinge = jnp.maximum(margin + farthest - jnp.where(counted, nearest, 0.0), 0.0)
    return _mean(hinge, counted)


def soft_margin_triplet(
    embeddings: Float[Array, "n d"], labels: Int[Array, " n"]
) -> Float[Array, ""]:
    """Return the batch-hard triplet loss with log(1 + exp(farthest - nearest)) for the hinge.

    It never stops pulling, and no margin has to be chosen (Hermans et al. 2017).
    """
    farthest, nearest = hardest(pairwise_distances(embeddings), labels)
    counted = jnp.isfinite(nearest)
    return _mean(jax.nn.softplus(farthest - jnp.where(counted, nearest, 0.0)), counted)


def _mean(values: Float[Array, " n"], counted: Bool[Array, " n"]) -> Float[Array, ""]:
    anchors = jnp.maximum(jnp.sum(counted), 1).astype(values.dtype)
    return jnp.sum(jnp.where(counted, values, 0.0)) / anchors
