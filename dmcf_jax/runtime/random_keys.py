"""Named streams of randomness: one typed key each, folded with the step where it is used."""

import zlib
from typing import NamedTuple

import jax
from jaxtyping import Array


class Keys(NamedTuple):
    """The keys that a step folds with its number; never stored in the state."""

    sampling: Array
    augmentation: Array


def named_key(seed: int, name: str) -> Array:
    """Return the key of the stream `name`: independent of the other streams and of order."""
    return folded(jax.random.key(seed), name)


def folded(key: Array, name: str) -> Array:
    """Return the key of the part `name` of what `key` is for."""
    return jax.random.fold_in(key, zlib.crc32(name.encode()))


def training_keys(seed: int) -> Keys:
    """Return the keys of sampling and augmentation."""
    return Keys(named_key(seed, "sampling"), named_key(seed, "augmentation"))
