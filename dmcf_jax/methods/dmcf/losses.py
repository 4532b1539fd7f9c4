"""The eleven losses, their level sums and the learned weighting: eq. 8-15 of the paper.

Pure functions of float32 arrays. Equation numbers follow Cheng et al., IEEE Access 2020.
"""

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int

from dmcf_jax.methods.dmcf.levels import LossTerm
from dmcf_jax.methods.dmcf.network import DmcfOutputs

# The paper's range of log sigma^2 (below eq. 15).
LOG_VARIANCE_RANGE = (-2.0, 5.0)


def pairwise_distances(embeddings: Float[Array, "n d"]) -> Float[Array, "n n"]:
    """Return Euclidean distances between all rows, with a zero gradient at distance zero.

    The square root has an infinite slope at zero, which duplicates and the diagonal reach; both
    `where`s are needed, since a gradient of infinity times zero is NaN.
    """
    products = jnp.matmul(embeddings, embeddings.T, precision=jax.lax.Precision.HIGHEST)
    # The diagonal as sums with one term that is not 0: rows stay on their device where taking it
    # by index would collect the matrix.
    own = jnp.where(jnp.eye(len(products), dtype=bool), products, 0.0)
    squares = own.sum(axis=1)[:, None] + own.sum(axis=0)[None, :]
    squared = jnp.maximum(squares - 2.0 * products, 0.0)
    apart = squared > 0.0
    return jnp.where(apart, jnp.sqrt(jnp.where(apart, squared, 1.0)), 0.0)


def _same_label(labels: Int[Array, " n"]) -> Bool[Array, "n n"]:
    return labels[:, None] == labels[None, :]


def batch_hard_triplet(
    embeddings: Float[Array, "n d"], labels: Int[Array, " n"], margin: float
) -> Float[Array, ""]:
    """Return the batch-hard triplet loss: L1, L3, L7 (eq. 8) on G1, G2, G3.

    Each row is an anchor: its farthest row of the same label and its nearest row of another
    label give max(0, margin + farthest - nearest), averaged over the rows (Hermans et al. 2017,
    the paper's reference [32]). Rows of both modalities count alike. An anchor without a row of
    another label in the batch adds nothing and is not counted.

    Args:
        embeddings: not normalised; a margin of 1.8 makes no sense on unit vectors.
        labels: identity of each row.
        margin: in units of Euclidean distance, 1.8 in the paper.
    """
    distances = pairwise_distances(embeddings)
    same = _same_label(labels)
    farthest = jnp.max(jnp.where(same, distances, 0.0), axis=1)
    nearest = jnp.min(jnp.where(same, jnp.inf, distances), axis=1)
    counted = jnp.isfinite(nearest)
    hinge = jnp.maximum(margin + farthest - jnp.where(counted, nearest, 0.0), 0.0)
    anchors = jnp.maximum(jnp.sum(counted), 1).astype(hinge.dtype)
    return jnp.sum(jnp.where(counted, hinge, 0.0)) / anchors


def softmax_cross_entropy(
    logits: Float[Array, "n k"], labels: Int[Array, " n"]
) -> Float[Array, ""]:
    """Return the mean softmax loss: L2, L4, L8 (eq. 9), L5, L6 (eq. 10), L9..L11 (eq. 11)."""
    return jnp.mean(optax.losses.softmax_cross_entropy_with_integer_labels(logits, labels))


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
    outputs: DmcfOutputs,
    labels: Int[Array, " n"],
    terms: tuple[LossTerm, ...],
    margin: float,
    mined: Bool[Array, ""],
) -> dict[str, Array]:
    """Return every loss of `terms` by name (L1..L11 for the paper's network), scalars.

    Args:
        labels: class of each of the 2b interleaved rows.
        margin: of the triplet losses.
        mined: whether the triplet losses count yet; until then they are 0.
    """
    return {
        term.name: jnp.where(
            mined, batch_hard_triplet(outputs.embeddings[term.feature], labels, margin), 0.0
        )
        if term.kind == "triplet"
        else softmax_cross_entropy(outputs.logits[term.feature], labels)
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
