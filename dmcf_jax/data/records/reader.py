"""Reading the records of a prepared data set."""

import contextlib
import io
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dmcf_jax.data.datasets.listing import FIELDS
from dmcf_jax.errors import UserError
from dmcf_jax.runtime.console import quieter


class Records:
    """The records of one split as dictionaries with the image still encoded.

    Records are parsed here from their protocol buffer: the data source's own parsing makes arrays
    of every field, which takes several times as long. Reading is safe from several threads.

    Args:
        folder: a prepared data set, as `prepared.directory` names it.
        split: for example 'train'.

    Raises:
        UserError: the files are damaged.
    """

    def __init__(self, folder: Path, split: str):
        import tensorflow_datasets as tfds  # slow to import, and not needed by warm caches
        from tensorflow_datasets.proto import tf_example_pb2

        self._folder, self._split = folder, split
        example = tf_example_pb2.Example  # pyright: ignore[reportAttributeAccessIssue]  # no stub
        self._parse = example.FromString
        raw = tfds.decode.DeserializeMethod.RAW_BYTES
        try:
            with quiet():
                builder = tfds.builder_from_directory(folder)
                self._rows = builder.as_data_source(
                    split,  # pyright: ignore[reportCallIssue]  # a decorator of tfds hides it
                    deserialize_method=raw,
                )
            self._length = len(self._rows)
        except Exception as error:  # array_record raises several kinds on damaged files
            raise self._damaged(error) from error

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, row: int) -> dict[str, Any]:
        """Return one record: image (bytes), path, identity, camera, modality.

        Raises:
            UserError: the files are damaged.
        """
        if not 0 <= row < self._length:  # also ends iteration
            raise IndexError(row)
        try:
            stored = self._parse(self._rows[row]).features.feature
            path = stored["path"].bytes_list.value[0].decode("utf-8")
            numbers = {name: stored[name].int64_list.value[0] for name in FIELDS[1:]}
            return {"image": stored["image"].bytes_list.value[0], "path": path, **numbers}
        except Exception as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> UserError:
        first = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        return UserError(
            f"{self._folder}, split {self._split}: the records cannot be read ({first}). They are "
            "damaged: delete the folder and prepare the data set again",
            about=str(self._folder),
        )


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep what TensorFlow Datasets prints and logs off the screen, except warnings."""
    with quieter(logging.WARNING, "absl"), contextlib.redirect_stdout(io.StringIO()):
        yield
