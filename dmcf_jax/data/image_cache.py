"""Decoded images on disk: written completely or not at all, and used only if unchanged.

A cache is a folder with `images.npy` (uint8 [n h w 3]), `labels.npz` (no pickle) and
`stamp.json`: what the images were made from, and the hash of both files.
"""

import functools
import hashlib
import json
import math
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from jaxtyping import UInt8, UInt64

from dmcf_jax.data.datasets.listing import FIELDS
from dmcf_jax.runtime.files import sibling_folder
from dmcf_jax.runtime.threads import map_in_threads

ROWS = 64  # hashed at a time
# Given the number of a row and pixels [n h w 3], writes n rows from that one on.
Write = Callable[[int, np.ndarray], None]


def read_cache(
    folder: Path, stamp: dict[str, Any], check_images: bool = True
) -> tuple[np.ndarray, dict[str, np.ndarray]] | None:
    """Return memory-mapped images and labels, or None if the cache cannot be used.

    Args:
        stamp: what the images must have been made from.
        check_images: hash the images; not needed for a cache that was just written.

    Returns:
        Images uint8 [n h w 3] and `FIELDS` by name, each [n]; None if the cache is missing, made
        from something else or damaged.
    """
    try:
        written = json.loads((folder / "stamp.json").read_text(encoding="utf-8"))
        if written["stamp"] != stamp:
            return None
        labels_file = (folder / "labels.npz").read_bytes()
        if hashlib.sha256(labels_file).hexdigest() != written["labels_sha256"]:
            return None
        with np.load(folder / "labels.npz", allow_pickle=False) as file:
            labels = {name: file[name] for name in FIELDS}
        images = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
        if tuple(images.shape) != tuple(stamp["shape"]) or images.dtype != np.uint8:
            return None
        if check_images and images_digest(images) != written["images_hash"]:
            return None
        return images, labels
    except (OSError, ValueError, KeyError, TypeError):
        return None


def images_digest(images: np.ndarray) -> str:
    """Return the hash of all rows of uint8 [n h w 3], computed in threads."""

    def hashes(start: int) -> np.ndarray:
        return row_hashes(images[start : start + ROWS])

    return _digest(np.concatenate([*map_in_threads(hashes, range(0, len(images), ROWS))]))


def _digest(hashes: np.ndarray) -> str:
    return hashlib.sha256(hashes.tobytes()).hexdigest()


def row_hashes(rows: UInt8[np.ndarray, "n ..."]) -> UInt64[np.ndarray, " n"]:
    """Return the dot product, modulo 2^64, of each image's 64-bit words with fixed odd weights.

    Any damage within one word changes it, other damage almost certainly does. It protects from
    faulty disks, not from forgers, who could rewrite the stamp as well, and is much faster than
    SHA-256.
    """
    flat = rows.reshape(len(rows), -1)
    in_words = flat.shape[1] // 8 * 8  # bytes
    weights = _weights(flat.shape[1] // 8 + 1)
    rest = np.zeros((len(rows), 8), np.uint8)
    rest[:, : flat.shape[1] - in_words] = flat[:, in_words:]
    words = np.dot(flat[:, :in_words].view(np.uint64), weights[:-1])
    return words + rest.view(np.uint64)[:, 0] * weights[-1]


@functools.lru_cache(maxsize=8)
def _weights(length: int) -> np.ndarray:
    return np.random.PCG64(0).random_raw(length) | np.uint64(1)


def write_cache(
    folder: Path,
    stamp: dict[str, Any],
    fill: Callable[[Write], dict[str, np.ndarray]],
) -> None:
    """Write a cache beside `folder` and rename it to `folder` when it is complete.

    Args:
        folder: the cache's; what is there is replaced.
        stamp: what the images are made from; `stamp['shape']` is [n h w 3].
        fill: given `write(row, pixels)`, calls it for all rows, some consecutive ones [n h w 3]
            at a time, from any thread and in any order, and returns the labels.

    Raises:
        OSError: no space, no permission. Nothing is left behind.
    """
    with sibling_folder(folder) as made:
        digest, labels = _write_images(made / "images.npy", stamp["shape"], fill)
        np.savez(made / "labels.npz", **cast(dict[str, Any], labels))
        written = {
            "stamp": stamp,
            "images_hash": digest,
            "labels_sha256": hashlib.sha256((made / "labels.npz").read_bytes()).hexdigest(),
        }
        (made / "stamp.json").write_text(json.dumps(written, indent=1), encoding="utf-8")
        _put_in_place(made, folder)


def _put_in_place(made: Path, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    try:
        os.rename(made, folder)
    except OSError:
        # Another process may have built the same cache meanwhile; the caller checks it.
        if not (folder / "stamp.json").exists():
            raise


def _write_images(
    path: Path, shape: Sequence[int], fill: Callable[[Write], dict[str, np.ndarray]]
) -> tuple[str, dict[str, np.ndarray]]:
    header = {"descr": "|u1", "fortran_order": False, "shape": tuple(shape)}
    hashes = np.zeros(shape[0], np.uint64)
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        file.flush()
        offset = file.tell()

        def write(row: int, pixels: np.ndarray) -> None:
            hashes[row : row + len(pixels)] = row_hashes(pixels)
            at = offset + row * math.prod(shape[1:])
            _write_all(file.fileno(), pixels.data.cast("B"), at)

        labels = fill(write)
    return _digest(hashes), labels


def _write_all(handle: int, data: memoryview, offset: int) -> None:
    """Write at `offset`. On a full disk this raises OSError; a memory map would crash."""
    while data:
        written = os.pwrite(handle, data, offset)
        data, offset = data[written:], offset + written
