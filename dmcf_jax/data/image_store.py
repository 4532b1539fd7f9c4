"""Prepared records as decoded, resized uint8 images in memory-mapped arrays.

The first call decodes into a cache on disk; later calls check its stamp and hash and map it,
without importing TensorFlow Datasets. A cache that was made from anything else, by another
version or that is damaged is made anew.
"""

import dataclasses
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from jaxtyping import Int32, Shaped, UInt8

from dmcf_jax.data import decode, image_cache
from dmcf_jax.data.records import prepared
from dmcf_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class ImageStore:
    """Decoded images of one or more splits; rows in record order, split after split.

    Attributes:
      images: RGB, 0..255; read-only when memory-mapped.
      identity: pid of the folder.
      camera: SYSU-MM01 1..6; RegDB visible 1, thermal 2; LLCM 1..9.
      modality: 0 visible, 1 infrared.
      path: relative to the data set's root, with '/'.
    """

    images: UInt8[np.ndarray, "n h w 3"]
    identity: Int32[np.ndarray, " n"]
    camera: Int32[np.ndarray, " n"]
    modality: Int32[np.ndarray, " n"]
    path: Shaped[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.identity)

    def select(self, rows: Shaped[np.ndarray, " _"] | slice) -> "ImageStore":
        """Return the rows of a boolean mask [n] or an array of indices, as copies."""
        fields = (getattr(self, field.name)[rows] for field in dataclasses.fields(self))
        return ImageStore(*fields)

    @classmethod
    def join(cls, stores: Sequence["ImageStore"]) -> "ImageStore":
        """Return the rows of all `stores`, one after the other, as copies."""
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(*(np.concatenate([getattr(s, name) for s in stores]) for name in names))


def load_images(
    name: str,
    data_dir: str | Path,
    splits: tuple[str, ...],
    size: tuple[int, int],
    *,
    trial: int | None = None,
    filter: str = "lanczos",
    cache_dir: str | Path | None = None,
    progress: bool | None = None,
) -> ImageStore:
    """Return the images of prepared `splits`, resized to `size`, from the cache or decoded.

    Args:
      name: 'sysu_mm01', 'regdb' or 'llcm'.
      data_dir: folder of the records that `dmcf prepare_data` built.
      splits: for example ('train', 'val').
      size: (height, width) in pixels.
      trial: 1 to 10 for regdb, None for the others.
      filter: 'lanczos', 'bicubic' or 'bilinear'.
      cache_dir: where decoded images are kept; data_dir/cache by default.
      progress: show a bar while decoding.

    Raises:
      UserError: not prepared (with the command that prepares it), an unknown split, filter or
        size, damaged records, or a cache that cannot be written.
    """
    facts = prepared.read_facts(name, data_dir, trial)
    splits, size = tuple(splits), (int(size[0]), int(size[1]))
    _check_arguments(name, facts, splits, size, filter)
    folder = _cache_folder(
        Path(cache_dir or Path(data_dir, "cache")), name, trial, splits, size, filter
    )
    stamp = _stamp(name, facts, splits, size, filter)
    found = image_cache.read_cache(folder, stamp)
    if found is None:
        where = prepared.directory(name, data_dir, trial)
        _fill(folder, stamp, where, facts, bool(progress))
        found = image_cache.read_cache(folder, stamp, check_images=False)
    if found is None:
        raise UserError(
            f"{folder} was written but reads back otherwise: the disk is faulty or full"
        )
    images, labels = found
    return ImageStore(images, *(labels[label] for label in image_cache.LABELS))


def _check_arguments(
    name: str, facts: dict[str, Any], splits: tuple[str, ...], size: tuple[int, int], filter: str
) -> None:
    known = tuple(facts["counts"])
    problems = [f"split '{s}': {name} has {', '.join(known)}" for s in splits if s not in known]
    if not splits or len(set(splits)) != len(splits):
        problems.append(f"splits {splits}: name each once, at least one")
    if filter not in decode.FILTERS:
        problems.append(f"filter '{filter}': choose one of {', '.join(decode.FILTERS)}")
    if not all(1 <= side <= decode.MAX_SIDE for side in size):
        problems.append(f"size {size}: height and width must be 1 to {decode.MAX_SIDE} pixels")
    if problems:
        raise UserError.listing("images cannot be loaded:", problems)


def _cache_folder(
    cache_dir: Path,
    name: str,
    trial: int | None,
    splits: tuple[str, ...],
    size: tuple[int, int],
    filter: str,
) -> Path:
    config = f"_trial_{trial}" if trial else ""
    title = f"{name}{config}_{'+'.join(splits)}_{size[0]}x{size[1]}_{filter}"
    return cache_dir / re.sub(r"[^A-Za-z0-9_+]", "-", title)


def _stamp(
    name: str, facts: dict[str, Any], splits: tuple[str, ...], size: tuple[int, int], filter: str
) -> dict[str, Any]:
    """Return everything that the decoded images depend on."""
    counts = [facts["counts"][split] for split in splits]
    rows = sum(count["visible"] + count["infrared"] for count in counts)
    return {
        "dataset": name,
        "version": prepared.VERSION,
        "splits": list(splits),
        "filter": filter,
        "counts": counts,
        "records_sha256": [facts["records_sha256"][split] for split in splits],
        "shape": [rows, size[0], size[1], 3],
        "decoder": f"{decode.VERSION}, Pillow {PIL.__version__}",
    }


def _fill(
    folder: Path, stamp: dict[str, Any], where: Path, facts: dict[str, Any], show: bool
) -> None:
    """Decode the records that `stamp` names into the cache at `folder`."""
    from dmcf_jax.data.decode_records import Splits, decode_records

    size = (stamp["shape"][1], stamp["shape"][2])
    splits = Splits(where, tuple(stamp["splits"]))
    expected = facts["records_sha256"]

    def fill(write: Callable[[int, np.ndarray], None]) -> dict[str, np.ndarray]:
        return decode_records(splits, expected, size, stamp["filter"], write, show)

    try:
        image_cache.write_cache(folder, stamp, fill)
    except OSError as error:
        raise UserError(
            f"{folder} cannot be written ({error.strerror or error}); decoded images need "
            f"{math.prod(stamp['shape']) / 1e9:.1f} GB: make room or choose another cache_dir"
        ) from None
