"""Classifiers that start where the network already sees each person, instead of at random."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from dmcf_jax.data.identity_sampler import IdentityTable
from dmcf_jax.data.image_store import ImageStore
from dmcf_jax.methods.embedder import Embedder
from dmcf_jax.methods.train_state import TrainState
from dmcf_jax.runtime.console import log

IMAGES_EACH = 4  # of a person and modality: enough for a mean, and embedded in seconds


def start_at_means(
    model: Any, embed: Embedder, state: TrainState, store: ImageStore, table: IdentityTable
) -> TrainState:
    """Return `state` with each class's column of every classifier at the class's mean direction.

    Fresh columns point anywhere: a pretrained network would first have to unlearn what they say.

    Args:
        model: a network with `features`, each with a head `heads_<name>`.
        state: before step 0, with pretrained streams and reductions.
        store: the training images.
        table: rows of `store` by class.
    """
    rows = first_rows(table)
    variables = jax.tree.map(lambda leaf: leaf.copy(), state.variables)
    chosen = store.select(np.isin(np.arange(len(store)), rows))
    found = embed(variables, chosen.images, chosen.modality)
    embeddings = np.zeros((len(store), found.shape[1]), np.float32)
    embeddings[np.sort(rows.ravel())] = found
    heads = [f"heads_{feature.name}" for feature in model.features]
    kernels = split_by_feature(class_means(embeddings, rows), state.params, heads)
    log(f"the classifiers start at the means of {rows.size} training images")
    started = dataclasses.replace(state, params=with_kernels(state.params, kernels))
    return started.with_average() if state.average else started


def first_rows(table: IdentityTable) -> Int[np.ndarray, "k m"]:
    """Return store rows of the first images of each class, as many of each in both modalities."""
    counts = np.asarray(table.counts)
    each = min(IMAGES_EACH, int(counts.min()))
    return np.concatenate(np.asarray(table.rows)[:, :, :each], axis=1)


def class_means(
    embeddings: Float[np.ndarray, "n d"], rows: Int[np.ndarray, "k m"]
) -> Float[np.ndarray, "k d"]:
    """Return the mean embedding of the rows of each class."""
    return embeddings[rows].mean(axis=1)


def split_by_feature(
    means: Float[np.ndarray, "k d"], params: dict, heads: list[str]
) -> dict[str, Float[np.ndarray, "_ k"]]:
    """Return a kernel with columns of unit length for each head, from embeddings side by side."""
    sizes = [params[head]["classifier"]["kernel"].shape[0] for head in heads]
    parts = np.split(means, np.cumsum(sizes)[:-1], axis=1)
    lengths = [np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-12) for part in parts]
    columns = [(part / length).T for part, length in zip(parts, lengths, strict=True)]
    return dict(zip(heads, columns, strict=True))


def with_kernels(params: dict, kernels: dict[str, np.ndarray]) -> dict:
    """Return `params` with these classifier kernels, placed as the ones before."""

    def replace(head, kernel):
        old = params[head]["classifier"]
        new = jax.device_put(jnp.asarray(kernel, old["kernel"].dtype), old["kernel"].sharding)
        return params[head] | {"classifier": old | {"kernel": new}}

    return params | {head: replace(head, kernel) for head, kernel in kernels.items()}
