"""The softmax loss of a classifier, with or without smoothed labels."""

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from dmcf_jax.methods.losses.distances import unit_rows


def softmax_cross_entropy(
    logits: Float[Array, "n k"], labels: Int[Array, " n"], smoothing: float = 0.0
) -> Float[Array, ""]:
    """Return the mean softmax loss: L2, L4, L8 (eq. 9), L5, L6 (eq. 10), L9..L11 (eq. 11).

    Args:
        smoothing: share of the label that is spread evenly over all classes (Szegedy et al.,
            CVPR 2016): (1 - smoothing) one-hot + smoothing / k.
    """
    plain = jnp.mean(optax.losses.softmax_cross_entropy_with_integer_labels(logits, labels))
    if not smoothing:
        return plain
    even = -jnp.mean(jax.nn.log_softmax(logits, axis=1))
    return (1.0 - smoothing) * plain + smoothing * even


def cosine_logits(
    embeddings: Float[Array, "n d"], kernel: Float[Array, "d k"], scale: float
) -> Float[Array, "n k"]:
    """Return `scale` times the cosine of each row with each class's weights (a column).

    As in NormFace (Wang et al., ACM MM 2017): lengths of features and weights do not count.
    """
    return scale * jnp.matmul(unit_rows(embeddings), unit_rows(kernel.T).T)
