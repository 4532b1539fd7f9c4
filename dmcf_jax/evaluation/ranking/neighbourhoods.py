"""k-reciprocal neighbourhoods as sparse lists: the encoding V of `reranking.py`.

A list is a row of (index, weight) in order of index; an index equal to the number of images ends
it, with weight 0. Blocks of rows are compared with all images.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int, Int32

from dmcf_jax.evaluation.ranking.tile_kernels import distance_tile

BLOCK_ELEMENTS = 2**23


def encode(
    points: Float[Array, "n d"], k1: int, k2: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return V after the local expansion, indices and weights `[n, m]`, and largest d `[n]`.

    `m` is the length of the longest list.
    """
    n = len(points)
    near = partial(_nearest, points, k=min(max(k1 + 1, k2), n))
    nearest, largest = _by_blocks(near, n, BLOCK_ELEMENTS // n)
    nearest = jax.device_put(nearest)
    half = round(k1 / 2) + 1
    (halves,) = _by_blocks(partial(_reciprocal, nearest[:, :half]), n, 1024)
    reciprocal = nearest[:, : k1 + 1], jax.device_put(halves)
    expand = partial(_expand, points, *reciprocal, jax.device_put(largest))
    lists = [
        jax.device_put(values) for values in _trim(*_by_blocks(expand, n, BLOCK_ELEMENTS // n))
    ]
    if k2 > 1:
        average = partial(_average, nearest[:, :k2], *lists)
        lists = _trim(*_by_blocks(average, n, BLOCK_ELEMENTS // (k2 * lists[0].shape[1] * 8)))
    return np.asarray(lists[0]), np.asarray(lists[1]), largest


def squared_distances(
    rows: Float[Array, "q d"], columns: Float[Array, "g d"]
) -> Float[Array, "q g"]:
    """Return squared Euclidean distances, at least 0."""
    squares = jnp.sum(rows**2, axis=1)[:, None] + jnp.sum(columns**2, axis=1)[None, :]
    return jnp.maximum(squares - 2 * distance_tile(rows, columns), 0)


def _by_blocks(step: Callable[[Array], tuple[Array, ...]], n: int, wanted: int) -> list[np.ndarray]:
    """Call `step(rows)` on blocks of about `wanted` of `n` rows and join each of its results.

    All blocks have one size, so that one program is compiled: the last one overlaps.
    """
    size = int(min(n, max(8, min(wanted, 1024))))
    starts = [min(start, n - size) for start in range(0, n, size)]
    parts = [step(jnp.arange(start, start + size)) for start in starts]
    joined = []
    for results in zip(*parts, strict=True):
        results = [np.asarray(result) for result in results]
        overlap = size * len(starts) - n
        joined.append(np.concatenate([*results[:-1], results[-1][overlap:]]))
    return joined


@partial(jax.jit, static_argnames="k")
def _nearest(
    points: Float[Array, "n d"], rows: Int[Array, " r"], k: int
) -> tuple[Int32[Array, "r k"], Float[Array, " r"]]:
    """Return the k nearest images of each row, itself among them, and its largest distance."""
    distances = squared_distances(points[rows], points)
    # All images are in one tile: nothing to merge, so `top_k.py` would only be slower here.
    return lax.top_k(-distances, k)[1], jnp.max(distances, axis=1)


@jax.jit
def _reciprocal(nearest: Int32[Array, "n k"], rows: Int[Array, " r"]) -> tuple[Int32[Array, "r k"]]:
    """Return R(i, k) of each row as a list, with the end mark n where an image is not mutual."""
    forward = nearest[rows]
    mutual = jnp.any(nearest[forward] == rows[:, None, None], axis=-1)
    return (jnp.where(mutual, forward, len(nearest)),)


@jax.jit
def _expand(
    points: Float[Array, "n d"],
    nearest: Int32[Array, "n k"],
    halves: Int32[Array, "n h"],
    largest: Float[Array, " n"],
    rows: Int[Array, " r"],
) -> tuple[Int32[Array, "r m"], Float[Array, "r m"], Int32[Array, " r"]]:
    """Return R* of each row with the weights of Eq. (7), and how many images it has."""
    n = len(points)
    (core,) = _reciprocal(nearest, rows)
    is_core = core < n
    candidates = halves[jnp.minimum(core, n - 1)]
    real = candidates < n
    inside = real & jnp.any(candidates[..., None] == core[:, None, None, :], axis=-1)
    joins = is_core & (3 * inside.sum(-1) > 2 * real.sum(-1))
    added = jnp.where(joins[..., None] & real, candidates, n).reshape(len(rows), -1)
    indices = jnp.sort(jnp.concatenate([core, added], axis=1), axis=1)
    repeated = indices[:, 1:] == indices[:, :-1]
    indices = jnp.sort(indices.at[:, 1:].set(jnp.where(repeated, n, indices[:, 1:])), axis=1)
    distances = squared_distances(points[rows], points) / largest[rows, None]
    weights = jnp.exp(-jnp.take_along_axis(distances, jnp.minimum(indices, n - 1), axis=1))
    weights = jnp.where(indices < n, weights, 0)
    return indices, weights / weights.sum(axis=1, keepdims=True), (indices < n).sum(axis=1)


@jax.jit
def _average(
    nearest: Int32[Array, "n k"],
    indices: Int32[Array, "n m"],
    weights: Float[Array, "n m"],
    rows: Int[Array, " r"],
) -> tuple[Int32[Array, "r l"], Float[Array, "r l"], Int32[Array, " r"]]:
    """Return the mean of the lists of each row's nearest images, Eq. (11)."""
    n, k = nearest.shape
    # An image in several of the k lists is there k times at most, side by side after sorting: add
    # its weights into the first.
    around = nearest[rows]
    indices = indices[around].reshape(len(rows), -1)
    weights = weights[around].reshape(len(rows), -1) / k
    indices, weights = lax.sort((indices, weights), num_keys=1)
    total = weights
    for shift in range(1, k):
        same = indices[:, shift:] == indices[:, :-shift]
        total = total.at[:, :-shift].add(jnp.where(same, weights[:, shift:], 0))
    repeated = jnp.pad(indices[:, 1:] == indices[:, :-1], ((0, 0), (1, 0)))
    indices = jnp.where(repeated, n, indices)
    total = jnp.where(indices < n, total, 0)
    indices, total = lax.sort((indices, total), num_keys=1)
    return indices, total, (indices < n).sum(axis=1)


def _trim(
    indices: Int32[np.ndarray, "n m"],
    weights: Float[np.ndarray, "n m"],
    lengths: Int32[np.ndarray, " n"],
) -> tuple[np.ndarray, np.ndarray]:
    """Drop the columns that no list reaches; widths are multiples of 8."""
    longest = min(indices.shape[1], -(-int(lengths.max()) // 8) * 8)
    return indices[:, :longest], weights[:, :longest]
