"""The TFDS builder that the three data sets share: a listed tree becomes array_record files.

`ShardBasedBuilder` writes shard after shard in the order given. TFDS's more common
`GeneratorBasedBuilder` sorts through a buffer that needs TensorFlow above 1 GB, which the
training split of SYSU-MM01 can exceed.
"""

import functools
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

import dmcf_jax
from dmcf_jax import modality
from dmcf_jax.data import decode
from dmcf_jax.data.datasets import listing as tree
from dmcf_jax.data.datasets.listing import Listing, Record
from dmcf_jax.data.records import prepared
from dmcf_jax.data.records.verify_images import read_image_file
from dmcf_jax.errors import UserError
from dmcf_jax.runtime.threads import map_in_threads

RECORDS_PER_SHARD = 1024
MOST_SHOWN = 18


class ImageReader:
    """Reads image files of one tree as (bytes to store, SHA-256 of the file).

    With `keep`, re-encoded images are remembered: the ten trials of RegDB store the same files.
    """

    def __init__(self, root: Path, keep: bool = False):
        self.root = root
        self.kept: dict[str, tuple[bytes, bytes]] | None = {} if keep else None

    def __call__(self, path: str) -> tuple[bytes, bytes]:
        if self.kept is not None and path in self.kept:
            return self.kept[path]
        try:
            data = read_image_file(self.root / path)
            stored, digest = decode.stored_bytes(data), hashlib.sha256(data).digest()
        except decode.BadImage as error:
            raise UserError(f"{self.root / path}: {error}") from None
        if self.kept is not None and stored is not data:
            self.kept[path] = stored, digest
        return stored, digest


class TreeBuilder(tfds.core.ShardBasedBuilder, skip_registration=True):
    """Builds records from a user's own download, given as `source` or as TFDS's manual_dir.

    Args:
      source: root of the download; None reads it from `DownloadConfig(manual_dir=...)`.
      unofficial: accept counts other than the published ones; recorded in the metadata.
      reader: reads the images, to share work between several builders.
      advance: called with 1 after each record.
      **kwargs: arguments of `tfds.core.DatasetBuilder`, such as data_dir and config.
    """

    VERSION = tfds.core.Version(prepared.VERSION)
    # Only downloads need it (for checksums); finding it needs a package TFDS does not require.
    code_path = None
    MANUAL_DOWNLOAD_INSTRUCTIONS = "The root of your own download of the data set."

    def __init__(
        self,
        *,
        source: str | Path | None = None,
        unofficial: bool = False,
        reader: ImageReader | None = None,
        advance: Callable[[int], None] | None = None,
        **kwargs: Any,
    ):
        self._source = source
        self._unofficial = unofficial
        self._reader = reader
        self._advance = advance or (lambda n: None)
        self._files: dict[str, bytes] = {}
        super().__init__(**{"file_format": "array_record", **kwargs})

    def inspect(self, root: Path) -> Listing:
        """Return what this data set finds under `root`."""
        raise NotImplementedError

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "image": tfds.features.Image(shape=(None, None, 3)),
            "path": tfds.features.Text(),
            "identity": tfds.features.Scalar(np.int64),
            "camera": tfds.features.Scalar(np.int64),
            "modality": tfds.features.ClassLabel(names=modality.MODALITIES),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description=type(self).__doc__,
            features=tfds.features.FeaturesDict(features),
            disable_shuffling=True,
            metadata=tfds.core.MetadataDict(),
        )

    def _shard_iterators_per_split(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, list[Callable[[], Iterator[tuple[int, dict[str, Any]]]]]]:
        root = Path(self._source or dl_manager.manual_dir)
        listing = self.inspect(root)
        refuse(self.name, listing, [], self._unofficial)
        self._reader = self._reader or ImageReader(root)
        self._start_metadata(root, listing)
        return {split: self._shards(split, rows) for split, rows in listing.splits.items()}

    def _start_metadata(self, root: Path, listing: Listing) -> None:
        self.info.metadata.update(
            dataset=self.name,
            official=not self._unofficial,
            source=str(root.resolve()),
            source_sha256="",
            records_sha256={},
            counts={split: tree.count(rows) for split, rows in listing.splits.items()},
            package_version=dmcf_jax.__version__,
        )

    def _shards(self, split: str, rows: list[Record]) -> list[Callable[[], Iterator]]:
        digest = hashlib.sha256()
        starts = range(0, len(rows), RECORDS_PER_SHARD)
        return [functools.partial(self._examples, split, rows, at, digest) for at in starts]

    def _examples(self, split: str, rows: list[Record], start: int, digest: Any) -> Iterator:
        part = rows[start : start + RECORDS_PER_SHARD]
        images = map_in_threads(self._reader, [row.path for row in part])
        for number, (row, (image, file_digest)) in enumerate(zip(part, images, strict=True), start):
            digest.update(prepared.record_digest(*row, image))
            self._files[row.path] = file_digest
            yield number, {"image": image, **row._asdict()}
            self._advance(1)
        self.info.metadata["records_sha256"][split] = digest.hexdigest()
        self.info.metadata["source_sha256"] = source_digest(self._files)


def source_digest(files: dict[str, bytes]) -> str:
    """Return the SHA-256 over 'path digest' lines of a tree's image files, sorted by path."""
    lines = (f"{path} {files[path].hex()}\n" for path in sorted(files))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def refuse(name: str, listing: Listing, bad_images: list[str], unofficial: bool) -> None:
    """Raise one error with all problems of a tree; pass where there are none.

    Raises:
      UserError: the layout or images are faulty, or counts differ and `unofficial` is false.
    """
    mismatches = [] if unofficial else listing.mismatches
    total = len(listing.problems) + len(bad_images) + len(mismatches)
    if not total:
        return
    cures = []
    if listing.problems or bad_images:
        cures.append("Mend these files, or copy them again from the data set's archive.")
    if mismatches:
        cures.append("To use a subset or other data in this layout on purpose, add --unofficial.")
    title = f"{total} problem{'s' * (total > 1)} in this {tree.TITLES[name]} tree:"
    shown = capped(listing.problems) + capped(bad_images) + capped(mismatches)
    raise UserError.listing(title, shown, cure=" ".join(cures))


def capped(problems: list[str]) -> list[str]:
    """Return the first of a long list and how many more there are."""
    more = len(problems) - MOST_SHOWN
    return problems[:MOST_SHOWN] + ([f"... and {more} more"] if more > 0 else [])
