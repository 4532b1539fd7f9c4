"""Prepared records as decoded, resized uint8 images in memory-mapped arrays.

The first call decodes into a cache on disk; later calls check its stamp and hash and map it,
without importing TensorFlow Datasets. A cache that is damaged, or was made from anything else or
by another version, is made again.
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
from dmcf_jax.data.wide_values import FULL, WideRange
from dmcf_jax.errors import Problem, UserError
from dmcf_jax.modality import INFRARED, VISIBLE
from dmcf_jax.runtime.paths import local_path


@dataclasses.dataclass(frozen=True)
class ImageStore:
    """Decoded images of one or more splits; rows in record order, split after split.

    Attributes:
        images: RGB, 0..255; read-only when memory-mapped.
        identity: number of the person, the folder's pid in published data sets.
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

    def people_in_both(self) -> Int32[np.ndarray, " k"]:
        """Return the identities that have images of both modalities, ascending."""
        visible, infrared = (self.identity[self.modality == m] for m in (VISIBLE, INFRARED))
        return np.intersect1d(visible, infrared)

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
    resample: str = "lanczos",
    wide_range: WideRange = FULL,
    cache_dir: str | Path | None = None,
    progress: bool | None = None,
) -> ImageStore:
    """Return the images of prepared `splits`, resized to `size`, from the cache or decoded.

    Args:
        name: of a data set, see `DATASETS`.
        data_dir: where prepared data sets are kept.
        splits: for example ('train', 'val').
        size: (height, width) in pixels.
        trial: its number for a data set with trials, None for the others.
        resample: 'lanczos', 'bicubic' or 'bilinear'.
        wide_range: values of pictures of more than eight bits that become 0 and 255; see
            `prepared.wide_range`.
        cache_dir: where decoded images are kept; data_dir/cache by default.
        progress: show a progress bar while decoding.

    Raises:
        UserError: the data set is not prepared (with the command that prepares it), an unknown
            split, filter or size, damaged records, or a cache that cannot be written.
    """
    metadata = prepared.read_metadata(name, data_dir, trial)
    splits, size = tuple(splits), (int(size[0]), int(size[1]))
    _check_arguments(name, metadata, splits, size, resample)
    folder = _cache_folder(
        local_path(cache_dir or Path(data_dir, "cache")), name, trial, splits, size, resample
    )
    folder = folder.with_name(folder.name + _wide_title(wide_range))
    stamp = _stamp(name, metadata, splits, size, resample)
    stamp["wide_range"] = wide_range and list(wide_range)
    cached = image_cache.read_cache(folder, stamp)
    if cached is None:
        where = prepared.directory(name, data_dir, trial)
        _fill(folder, stamp, where, metadata, bool(progress))
        cached = image_cache.read_cache(folder, stamp, check_images=False)
    if cached is None:
        raise UserError(
            f"{folder} was written but reads back differently: the disk is faulty or full",
            about=str(folder),
        )
    images, labels = cached
    return ImageStore(images, **labels)


def _check_arguments(
    name: str,
    metadata: dict[str, Any],
    splits: tuple[str, ...],
    size: tuple[int, int],
    resample: str,
) -> None:
    known = tuple(metadata["counts"])
    problems = [
        Problem("splits", f"split '{split}': {name} has {', '.join(known)}")
        for split in splits
        if split not in known
    ]
    if not splits or len(set(splits)) != len(splits):
        problems.append(Problem("splits", f"splits {splits}: name each once, at least one"))
    if resample not in decode.FILTERS:
        allowed = ", ".join(decode.FILTERS)
        problems.append(Problem("resample", f"filter '{resample}': choose one of {allowed}"))
    if not all(1 <= side <= decode.MAX_SIDE for side in size):
        allowed = f"height and width must be 1 to {decode.MAX_SIDE} pixels"
        problems.append(Problem("size", f"size {size}: {allowed}"))
    if problems:
        raise UserError.listing("images cannot be loaded:", problems)


def _cache_folder(
    cache_dir: Path,
    name: str,
    trial: int | None,
    splits: tuple[str, ...],
    size: tuple[int, int],
    resample: str,
) -> Path:
    config = f"_trial_{trial}" if trial else ""
    title = f"{name}{config}_{'+'.join(splits)}_{size[0]}x{size[1]}_{resample}"
    return cache_dir / re.sub(r"[^A-Za-z0-9_+]", "-", title)


def _wide_title(wide_range: WideRange) -> str:
    if wide_range == FULL:
        return ""
    return "_" + ("-".join(f"{end:g}" for end in wide_range) if wide_range else "file")


def _stamp(
    name: str,
    metadata: dict[str, Any],
    splits: tuple[str, ...],
    size: tuple[int, int],
    resample: str,
) -> dict[str, Any]:
    """Return everything that the decoded images depend on."""
    counts = [metadata["counts"][split] for split in splits]
    rows = sum(count["visible"] + count["infrared"] for count in counts)
    return {
        "dataset": name,
        "version": prepared.VERSION,
        "splits": list(splits),
        "filter": resample,
        "counts": counts,
        "records_sha256": [metadata["records_sha256"][split] for split in splits],
        "shape": [rows, size[0], size[1], 3],
        "decoder": f"{decode.VERSION}, Pillow {PIL.__version__}",
    }


def _fill(
    folder: Path, stamp: dict[str, Any], where: Path, metadata: dict[str, Any], show: bool
) -> None:
    """Decode the records that `stamp` names into the cache at `folder`."""
    from dmcf_jax.data.decode_records import Splits, decode_records

    _, *size, _ = stamp["shape"]  # [n h w 3]
    splits = Splits(where, tuple(stamp["splits"]))
    expected, given = metadata["records_sha256"], stamp["wide_range"]
    wide = tuple(given) if given else None

    def fill(write: Callable[[int, np.ndarray], None]) -> dict[str, np.ndarray]:
        return decode_records(splits, expected, tuple(size), stamp["filter"], wide, write, show)

    try:
        image_cache.write_cache(folder, stamp, fill)
    except OSError as error:
        raise UserError(
            f"{folder} cannot be written ({error.strerror or error}); decoded images need "
            f"{math.prod(stamp['shape']) / 1e9:.1f} GB: free some space or choose another "
            "cache_dir",
            about="cache_dir",
        ) from None
