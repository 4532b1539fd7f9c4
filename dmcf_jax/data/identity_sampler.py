"""P x K sampling: which images make batch number `step`, as a pure function of (key, step).

A resumed run needs no saved state to draw the same batches, and all hosts draw the same.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, UInt8

from dmcf_jax.errors import UserError
from dmcf_jax.modality import INFRARED, MODALITIES, VISIBLE


class IdentityTable(NamedTuple):
    """Rows of the image store by class and modality; class c is the c-th smallest identity.

    Attributes:
        rows: int32 [2 k m], rows of the store: for each modality and class its m images, padded
            with 0.
        counts: int32 [2 k], how many of the m are images.
    """

    rows: Array | np.ndarray
    counts: Array | np.ndarray


class Batch(NamedTuple):
    """Rows of the store for b = P K pairs, int32 [b]; pair i is one person in both modalities."""

    visible: Array
    infrared: Array
    labels: Array


class PairBatch(NamedTuple):
    """Images of b pairs, uint8, and their classes; pair i shows one person in both modalities."""

    visible: UInt8[Array, "b h w 3"]
    infrared: UInt8[Array, "b h w 3"]
    labels: Int[Array, " b"]


def identity_table(identity: np.ndarray, modality: np.ndarray, P: int) -> IdentityTable:
    """Tabulate the images of every identity that is present in both modalities.

    Args:
        identity: int [n], identity of each image.
        modality: int [n], 0 visible or 1 infrared.
        P: identities that a batch will draw.

    Raises:
        UserError: if fewer than P identities have images in both modalities.
    """
    rows = {m: _rows_by_identity(identity, modality, m) for m in (VISIBLE, INFRARED)}
    classes = sorted(set(rows[VISIBLE]) & set(rows[INFRARED]))
    if len(classes) < P:
        each = ", ".join(f"{len(rows[m])} in {MODALITIES[m]}" for m in rows)
        raise UserError(
            f"sampler.P is {P}, but only {len(classes)} identities have images in both modalities "
            f"({each}). Lower --config.sampler.P to at most {len(classes)} or train on more data.",
            about="sampler.P",
        )
    most = max(len(rows[m][c]) for m in rows for c in classes)
    table = np.zeros((2, len(classes), most), np.int32)
    counts = np.zeros((2, len(classes)), np.int32)
    for m in rows:
        for number, c in enumerate(classes):
            table[m, number, : len(rows[m][c])] = rows[m][c]
            counts[m, number] = len(rows[m][c])
    return IdentityTable(table, counts)


def _rows_by_identity(
    identity: np.ndarray, modality: np.ndarray, wanted: int
) -> dict[int, list[int]]:
    rows: dict[int, list[int]] = {}
    for row in np.flatnonzero(modality == wanted):
        rows.setdefault(int(identity[row]), []).append(int(row))
    return rows


def draw_batch(table: IdentityTable, key: Array, step: Int[Array, ""], P: int, K: int) -> Batch:
    """Draw P identities and K images of each in each modality.

    Identities never repeat within a batch. Images of an identity do not repeat while there are
    K of them; with fewer, each is taken equally often, give or take one.

    Args:
        key: of the sampling stream.
        step: number of the batch.
    """
    identities, most = table.rows.shape[1:]
    # One draw for identities and images, since each random call is compiled separately.
    draws = jax.random.uniform(
        jax.random.fold_in(key, step), (identities + 2 * P * most,), jnp.float32
    )
    # The P smallest of one random number for each identity are P identities without repetition.
    classes = jnp.argsort(draws[:identities])[:P].astype(jnp.int32)
    # [2 P m]: the same among the images of each identity, where padding comes last.
    draws = draws[identities:].reshape(2, P, most)
    filled = jnp.arange(most)[None, None, :] < table.counts[:, classes][:, :, None]
    order = jnp.argsort(jnp.where(filled, draws, jnp.inf), axis=2)
    # [2 P K]: with fewer than K images, start again from the first.
    turns = jnp.arange(K)[None, None, :] % table.counts[:, classes][:, :, None]
    chosen = jnp.take_along_axis(order, turns, axis=2)
    rows = jnp.take_along_axis(table.rows[:, classes], chosen, axis=2).reshape(2, P * K)
    return Batch(rows[VISIBLE], rows[INFRARED], jnp.repeat(classes, K, total_repeat_length=P * K))
