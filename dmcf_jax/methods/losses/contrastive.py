"""Contrastive losses: softmax over the rows of a batch instead of over classes."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from dmcf_jax.methods.losses.distances import same_label, unit_rows


def supervised_contrastive(
    embeddings: Float[Array, "n d"], labels: Int[Array, " n"], temperature: float
) -> Float[Array, ""]:
    """Return the supervised contrastive loss of all rows (Khosla et al., NeurIPS 2020).

    Each row is an anchor and all other rows, of both modalities, are its candidates; the mean of
    -log softmax(cosine / temperature) is taken over those of its label ("L out" of the source).
    An anchor without another row of its label is not counted.

    Args:
        embeddings: of any length; they are normalised here.
        labels: identity of each row.
        temperature: divides the cosines, above 0; 0.1 in the source.
    """
    units = unit_rows(embeddings)
    cosines = jnp.matmul(units, units.T, precision=jax.lax.Precision.HIGHEST) / temperature
    itself = jnp.eye(len(units), dtype=bool)
    shares = jax.nn.log_softmax(jnp.where(itself, -jnp.inf, cosines), axis=1)
    own = same_label(labels) & ~itself
    count = jnp.sum(own.astype(shares.dtype), axis=1)
    each = -jnp.sum(jnp.where(own, shares, 0.0), axis=1) / jnp.maximum(count, 1.0)
    return jnp.sum(each) / jnp.maximum(jnp.sum((count > 0).astype(shares.dtype)), 1.0)


def cross_contrastive(
    visible: Float[Array, "b d"],
    infrared: Float[Array, "b d"],
    labels: Int[Array, " b"],
    temperature: float,
) -> Float[Array, ""]:
    """Return the contrastive loss of visible against infrared rows, the mean of both directions.

    Each row is an anchor, and all rows of the other modality are its candidates; the mean of
    -log softmax(cosine / temperature) is taken over those of its label. With one image of each
    person this is CLIP's loss (Radford et al., ICML 2021).

    Args:
        visible, infrared: of any length; row i of both shows the person `labels[i]`.
        temperature: divides the cosines, above 0.
    """
    sides = unit_rows(visible), unit_rows(infrared).T
    cosines = jnp.matmul(*sides, precision=jax.lax.Precision.HIGHEST) / temperature
    own = same_label(labels)
    shares = jax.nn.log_softmax(cosines, axis=1) + jax.nn.log_softmax(cosines, axis=0)
    each = jnp.sum(jnp.where(own, shares, 0.0), axis=1) / jnp.sum(own.astype(shares.dtype), axis=1)
    return -0.5 * jnp.mean(each)
