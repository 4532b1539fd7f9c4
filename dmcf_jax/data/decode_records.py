"""Prepared records to pixels, in threads, while the hashes of the records are checked."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from dmcf_jax.data import decode
from dmcf_jax.data.datasets.listing import FIELDS
from dmcf_jax.data.records import prepared
from dmcf_jax.data.records.reader import Records
from dmcf_jax.data.wide_values import WideRange
from dmcf_jax.errors import UserError
from dmcf_jax.runtime.console import progress_bar
from dmcf_jax.runtime.threads import map_in_threads

# Re-acquiring Python's global lock is the bottleneck. Threads wait less if each does one kind of
# work for a block of rows: read all, hash all, decode all, write all.
ROWS_AT_ONCE = 64


class Splits:
    """The records of several splits as one sequence of rows, split after split."""

    def __init__(self, folder: Path, names: tuple[str, ...]):
        self.folder, self.names = folder, names
        self.records = {name: Records(folder, name) for name in names}
        self.rows = [(name, row) for name in names for row in range(len(self.records[name]))]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[str, dict[str, Any]]:
        """Return the split and the record of one row."""
        split, row = self.rows[index]
        return split, self.records[split][row]


def decode_records(
    splits: Splits,
    expected: dict[str, str],
    size: tuple[int, int],
    resample: str,
    wide_range: WideRange,
    write: Callable[[int, np.ndarray], None],
    show: bool,
) -> dict[str, np.ndarray]:
    """Decode all rows, hand them to `write(row, pixels)` and return their labels.

    Args:
        splits: what to decode.
        expected: SHA-256 of the records of each split, from the data set's metadata.
        size: (height, width) in pixels.
        resample: one of `decode.FILTERS`.
        wide_range: values of pictures of more than eight bits that become 0 and 255.
        write: receives the number of a row and uint8 [n h w 3] from there on, from several
            threads.
        show: show a progress bar.

    Returns:
        `FIELDS` by name: path as text, the others int32, each [n].

    Raises:
        UserError: a record is damaged: its hash or its image is wrong.
    """

    def block(start: int) -> list[tuple[str, bytes, list]]:
        records = [splits[row] for row in range(start, min(start + ROWS_AT_ONCE, len(splits)))]
        done = [
            (name, prepared.record_digest(record), [record[field] for field in FIELDS])
            for name, record in records
        ]
        pixels = np.empty((len(records), *size, 3), np.uint8)
        for number, (_, record) in enumerate(records):
            pixels[number] = _pixels(splits.folder, record, size, resample, wide_range)
        write(start, pixels)
        return done

    starts = range(0, len(splits), ROWS_AT_ONCE)
    with progress_bar("decoding images", len(splits), show) as advance:
        columns = _collect(map_in_threads(block, starts), splits, expected, advance)
    path, *numbers = FIELDS
    return {
        **{field: np.array(columns[field], np.int32) for field in numbers},
        path: np.array(columns[path], np.str_),
    }


def _collect(
    blocks: Iterator[list[tuple[str, bytes, list]]],
    splits: Splits,
    expected: dict[str, str],
    advance: Callable[[int], None],
) -> dict[str, list]:
    hashes = {name: hashlib.sha256() for name in splits.names}
    columns: dict[str, list] = {field: [] for field in FIELDS}
    for block in blocks:
        for name, digest, values in block:
            hashes[name].update(digest)
            for field, value in zip(FIELDS, values, strict=True):
                columns[field].append(value)
        advance(len(block))
    wrong = [name for name in splits.names if hashes[name].hexdigest() != expected[name]]
    if wrong:
        raise UserError(
            f"{splits.folder}: the records of {', '.join(wrong)} are not those that were written "
            "(SHA-256 differs). Delete the folder and prepare the data set again",
            about=str(splits.folder),
        )
    return columns


def _pixels(
    folder: Path,
    record: dict[str, Any],
    size: tuple[int, int],
    resample: str,
    wide_range: WideRange,
) -> np.ndarray:
    try:
        return decode.decode_array(record["image"], size, resample, wide_range)
    except decode.BadImage as error:
        raise UserError(
            f"{folder}: the record of {record['path']} {error}. Delete the folder and prepare the "
            "data set again",
            about=str(folder),
        ) from None
