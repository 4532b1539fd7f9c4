"""The TFDS builder of every data set: a listed tree becomes array_record files.

`ShardBasedBuilder` writes shard after shard in the order given. TFDS's more common
`GeneratorBasedBuilder` sorts through a buffer that needs TensorFlow above 1 GB, which the
training split of SYSU-MM01 can exceed.
"""

import functools
import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from dmcf_jax import __version__, modality
from dmcf_jax.data import decode
from dmcf_jax.data.datasets.dataset import Dataset
from dmcf_jax.data.datasets.inspect_tree import inspect_tree
from dmcf_jax.data.datasets.listing import Listing, Record, count
from dmcf_jax.data.records import prepared
from dmcf_jax.data.records.verify_images import read_image_file, refuse
from dmcf_jax.errors import UserError
from dmcf_jax.runtime.threads import map_in_threads

RECORDS_PER_SHARD = 1024


class ImageReader:
    """Reads image files of one tree as (bytes to store, SHA-256 of the file).

    With `keep`, re-encoded images are remembered: the ten trials of RegDB store the same files.
    """

    def __init__(self, root: Path, keep: bool = False):
        self.root = root
        self.kept: dict[str, tuple[bytes, bytes]] | None = {} if keep else None

    def __call__(self, path: str) -> tuple[bytes, bytes]:
        """Return the image at `path`, relative to the root.

        Raises:
            UserError: the file is not a usable image.
        """
        if self.kept is not None and path in self.kept:
            return self.kept[path]
        try:
            data = read_image_file(self.root / path)
            stored, digest = decode.stored_bytes(data), hashlib.sha256(data).digest()
        except decode.BadImage as error:
            raise UserError(f"{self.root / path}: {error}", about=path) from None
        if self.kept is not None and stored is not data:
            self.kept[path] = stored, digest
        return stored, digest


class RecordBuilder(tfds.core.ShardBasedBuilder, skip_registration=True):
    """Builds records from a user's own download, given as `source` or as TFDS's manual_dir.

    `builder_class` returns the class of one data set.

    Args:
        source: root of the download; None reads it from `DownloadConfig(manual_dir=...)`.
        unofficial: accept counts other than the published ones; recorded in the metadata.
        listing: what `source` holds, if that is known already.
        metadata: recorded beside what every data set records.
        reader: reads the images, to share work between several builders.
        advance: called with 1 after each record.
        **kwargs: arguments of `tfds.core.DatasetBuilder`, such as data_dir and config.
    """

    dataset: Dataset
    VERSION = tfds.core.Version(prepared.VERSION)
    # Only downloads need it (for checksums); finding it needs a package TFDS does not require.
    code_path = None
    MANUAL_DOWNLOAD_INSTRUCTIONS = "The root of your own download of the data set."

    def __init__(
        self,
        *,
        source: str | Path | None = None,
        unofficial: bool = False,
        listing: Listing | None = None,
        metadata: Mapping[str, Any] | None = None,
        reader: ImageReader | None = None,
        advance: Callable[[int], None] | None = None,
        **kwargs: Any,
    ):
        self._source = source
        self._unofficial = unofficial
        self._listing = listing
        self._metadata = metadata or {}
        self._reader = reader
        self._advance = advance or (lambda n: None)
        self._files: dict[str, bytes] = {}
        super().__init__(**{"file_format": "array_record", **kwargs})

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
            description=self.dataset.description,
            features=tfds.features.FeaturesDict(features),
            disable_shuffling=True,
            metadata=tfds.core.MetadataDict(),
        )

    def _shard_iterators_per_split(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, list[Callable[[], Iterator[tuple[int, dict[str, Any]]]]]]:
        root = Path(self._source or dl_manager.manual_dir)
        listing = self._listing or self._inspect(root)
        refuse(self.dataset, listing, [], self._unofficial)
        self._reader = self._reader or ImageReader(root)
        metadata = self.info.metadata
        assert metadata is not None  # `_info` makes it
        metadata.update(
            dataset=self.name,
            official=not self._unofficial and self.dataset.published is not None,
            source=str(root.resolve()),
            source_sha256="",
            records_sha256={},
            counts={split: count(rows) for split, rows in listing.splits.items()},
            package_version=__version__,
            **self._metadata,
        )
        return {split: self._shards(split, rows) for split, rows in listing.splits.items()}

    def _inspect(self, root: Path) -> Listing:
        trials = {prepared.config_name(n)[0]: n for n in self.dataset.trial_numbers if n}
        trial = trials.get(str(self.builder_config.name)) if self.builder_config else None
        return inspect_tree(self.dataset, root, (trial,))[trial]

    def _shards(self, split: str, rows: list[Record]) -> list[Callable[[], Iterator]]:
        digest = hashlib.sha256()
        starts = range(0, len(rows), RECORDS_PER_SHARD)
        return [functools.partial(self._examples, split, rows, at, digest) for at in starts]

    def _examples(self, split: str, rows: list[Record], start: int, digest: Any) -> Iterator:
        """Yield (row number, record) of one shard; its digest continues the shard's before it."""
        assert self._reader is not None  # set before any shard
        part = rows[start : start + RECORDS_PER_SHARD]
        images = map_in_threads(self._reader, [row.path for row in part])
        for number, (row, (image, file_digest)) in enumerate(zip(part, images, strict=True), start):
            record = {"image": image, **row._asdict()}
            digest.update(prepared.record_digest(record))
            self._files[row.path] = file_digest
            yield number, record
            self._advance(1)
        metadata = self.info.metadata
        assert metadata is not None
        metadata["records_sha256"][split] = digest.hexdigest()
        metadata["source_sha256"] = source_digest(self._files)


def builder_class(dataset: Dataset) -> type[RecordBuilder]:
    """Return the builder of `dataset`: TFDS takes name and configs from the class, not from us."""
    configs = [
        tfds.core.BuilderConfig(name=name, description=f"Trial {number} of {dataset.title}.")
        for number in dataset.trial_numbers
        for name in prepared.config_name(number)
    ]
    body = {"name": dataset.name, "dataset": dataset, "BUILDER_CONFIGS": configs}
    body |= {"__doc__": dataset.description, "__module__": __name__}
    return type(dataset.name, (RecordBuilder,), body, skip_registration=True)


def source_digest(files: dict[str, bytes]) -> str:
    """Return the SHA-256 over 'path digest' lines of a tree's image files, sorted by path."""
    lines = (f"{path} {files[path].hex()}\n" for path in sorted(files))
    return hashlib.sha256("".join(lines).encode()).hexdigest()
