"""The user's own pictures as rows: read from a CSV file or from the folders of a tree.

CSV: a header with `path`, `identity` and `modality`, and optionally `camera` and `split`; paths are
relative to the file's folder, or absolute. Trees: see `own_tree`.
"""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from dmcf_jax import modality
from dmcf_jax.data.datasets.image_folders import printable
from dmcf_jax.data.datasets.listing import problem
from dmcf_jax.data.datasets.own_csv import csv_rows
from dmcf_jax.data.datasets.own_row import NEEDED, SPLITS, OwnRow
from dmcf_jax.data.datasets.own_tree import pattern_rows, tree_rows
from dmcf_jax.data.datasets.walk import named
from dmcf_jax.data.file_kinds import refusal
from dmcf_jax.errors import Problem, UserError

__all__ = ["NEEDED", "SPLITS", "OwnRow", "has_layout", "read_rows", "root_of"]


MANY_ROWS = 10  # with the same wrong word: more are one problem


def root_of(source: str | Path) -> Path:
    """Return the folder that the paths in `source`, a CSV file or a folder, are relative to."""
    path = Path(source)
    return path if path.is_dir() else path.parent


def has_layout(folder: str | Path) -> bool:
    """Return whether a folder holds `visible` or `infrared`."""
    return any(Path(folder, name).is_dir() for name in modality.MODALITIES)


def read_rows(
    source: str | Path,
    problems: list[Problem],
    needed: Sequence[str] = NEEDED,
    *,
    notes: list[str] | None = None,
    pattern: str | None = None,
) -> list[OwnRow]:
    """Return the rows of a CSV file or of a tree, sorted by path.

    Args:
        problems: receives everything that is wrong with the rows.
        needed: what must be known of every picture.
        notes: receives a line for whatever is left out of a tree.
        pattern: the order of a tree's folders, see `own_tree.pattern_rows`.

    Raises:
        UserError: the source is neither, or its header lacks a needed column.
    """
    path, notes = Path(source), [] if notes is None else notes
    if path.is_dir() and pattern:
        rows = pattern_rows(path, pattern, problems, notes)
    elif path.is_dir():
        rows = tree_rows(path, problems, notes, needed)
    elif path.is_file():
        rows = list(csv_rows(path, problems, needed))
    else:
        cure = "give a CSV file or a folder of pictures"
        raise UserError(f"{source} does not exist; {cure}", about=str(source))
    problems += _same_as_one(list(_problems(root_of(path), rows, needed)))
    return sorted(rows, key=lambda row: row.path)


def _problems(root: Path, rows: list[OwnRow], needed: Sequence[str]) -> Iterator[Problem]:
    """Yield every fault of every row."""
    first: dict[str, str] = {}
    some_cameras = "identity" in needed and any(row.camera for row in rows)
    for row in rows:
        for fault in _faults(root, row, needed):
            yield problem(printable(row.place), printable(fault))
        if some_cameras and not row.camera:
            fault = "has no camera, but others have: give every picture one, or none"
            yield problem(printable(row.place), fault)
        if row.path and row.path in first:
            yield problem(row.place, f"'{row.path}' is there already in {first[row.path]}")
        first.setdefault(row.path, row.place)


def _same_as_one(problems: list[Problem]) -> list[Problem]:
    """Return problems with a word that is wrong in many rows as one: 'thermal' in 1,000 rows."""
    rows: dict[str, list[str]] = {}
    for one in problems:
        text = one.text.removeprefix(f"{one.about}: ")
        if text.startswith(("modality '", "split '")):
            rows.setdefault(text, []).append(one.about)
    many = {text: places for text, places in rows.items() if len(places) > MANY_ROWS}
    kept = [one for one in problems if one.text.removeprefix(f"{one.about}: ") not in many]
    return kept + [
        Problem(text.split(" ")[0], f"{named(places)}: {text}") for text, places in many.items()
    ]


def _faults(root: Path, row: OwnRow, needed: Sequence[str]) -> Iterator[str]:
    for name in needed:
        if not getattr(row, name):
            yield f"{name} is empty"
    if row.modality and row.modality not in modality.MODALITIES:
        yield f"modality '{row.modality}', expected {' or '.join(modality.MODALITIES)}"
    if row.split and row.split not in SPLITS:
        yield f"split '{row.split}', expected {' or '.join(SPLITS)}"
    if "identity" in needed and printable(row.path) != row.path:
        yield "the name is not valid UTF-8: rename it"
    if row.path and (fault := _path_fault(root / row.path, row.path)):
        yield f"'{row.path}' {fault}"


def _path_fault(path: Path, written: str) -> str | None:
    if "\0" in str(path) or not os.path.exists(path):
        windows = re.match(r"[A-Za-z]:\\|.*\\", written)
        cure = ": give it relative to the CSV file's folder, with / between folders"
        return "does not exist" + (cure if windows else "")
    if not path.is_file():
        return "is not a file"
    fault = refusal(path.name)
    return f"is not an image that can be read ({fault})" if fault else None
