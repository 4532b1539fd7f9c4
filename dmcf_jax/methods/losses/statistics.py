"""Whether embeddings are apart: numbers of one batch that show a collapse early."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from dmcf_jax.methods.losses.distances import pairwise_distances, same_label
from dmcf_jax.methods.losses.triplet import hardest


def watch(
    embeddings: dict[str, Float[Array, "n d"]], labels: Int[Array, " n"], margin: float
) -> dict[str, Float[Array, ""]]:
    """Return the statistics of each feature under names such as `spread_G1`; of no gradient."""
    return {
        f"{name}_{feature}": value
        for feature, rows in embeddings.items()
        for name, value in embedding_statistics(jax.lax.stop_gradient(rows), labels, margin).items()
    }


def embedding_statistics(
    embeddings: Float[Array, "n d"], labels: Int[Array, " n"], margin: float
) -> dict[str, Float[Array, ""]]:
    """Return four scalars of a batch by name; a mean over nothing is 0.

    `distance_own`, `distance_other`: mean Euclidean distance between two different rows of one
    label, and of different labels. `active`: share of the anchors whose farthest own row is not
    nearer than their nearest other row by `margin`: the triplets that a hinge pulls at. `spread`:
    root mean square distance of the rows from their mean, divided by the mean length of a row;
    about 1 for rows in all directions, 0 where all rows are one point, above 1 where few rows have
    most of the length.
    """
    distances = pairwise_distances(embeddings)
    same = same_label(labels)
    farthest, nearest = hardest(distances, labels)
    lengths = jnp.sqrt(jnp.sum(embeddings**2, axis=1))
    centred = embeddings - jnp.mean(embeddings, axis=0)
    deviation = jnp.sqrt(jnp.mean(jnp.sum(centred**2, axis=1)))
    return {
        "distance_own": _mean(distances, same & ~jnp.eye(len(labels), dtype=bool)),
        "distance_other": _mean(distances, ~same),
        "active": jnp.mean((margin + farthest - nearest > 0).astype(distances.dtype)),
        "spread": deviation / jnp.maximum(jnp.mean(lengths), 1e-12),
    }


def _mean(distances: Float[Array, "n n"], counted: Bool[Array, "n n"]) -> Float[Array, ""]:
    count = jnp.sum(counted.astype(distances.dtype))
    return jnp.sum(jnp.where(counted, distances, 0.0)) / jnp.maximum(count, 1.0)
