"""The user's own pictures as rows: read from a CSV file or from the folders of a tree.

CSV: a header with `path`, `identity` and `modality`, and optionally `camera` and `split`; paths are
relative to the file's folder, or absolute. Tree: `visible/<identity>/*` and
`infrared/<identity>/*`; a folder below an identity's is a camera.
"""

import csv
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TextIO

from dmcf_jax import modality
from dmcf_jax.data.datasets.image_folders import IMAGE_SUFFIXES, images, printable, subfolders
from dmcf_jax.data.datasets.listing import problem
from dmcf_jax.errors import Problem, UserError

COLUMNS = ("path", "identity", "modality", "camera", "split")
NEEDED = COLUMNS[:3]
SPLITS = ("train", "test")


class OwnRow(NamedTuple):
    """One picture as its owner describes it; '' is what is not known.

    `place` is where its description is: 'row 7' of a CSV file, or the path of the picture.
    """

    place: str
    path: str
    identity: str = ""
    modality: str = ""
    camera: str = ""
    split: str = ""


def root_of(source: str | Path) -> Path:
    """Return the folder that the paths in `source`, a CSV file or a folder, are relative to."""
    path = Path(source)
    return path if path.is_dir() else path.parent


def has_layout(folder: str | Path) -> bool:
    """Return whether a folder holds `visible` or `infrared`."""
    return any(Path(folder, name).is_dir() for name in modality.MODALITIES)


def read_rows(
    source: str | Path, problems: list[Problem], needed: Sequence[str] = NEEDED
) -> list[OwnRow]:
    """Return the rows of a CSV file or of a tree, sorted by path.

    Args:
        problems: receives everything that is wrong with the rows.
        needed: columns that every row of a CSV file must fill in.

    Raises:
        UserError: the source is neither, or its header lacks a needed column.
    """
    path = Path(source)
    if path.is_dir():
        rows = _tree_rows(path, problems)
    elif path.is_file():
        rows = list(_csv_rows(path, problems, needed))
    else:
        cure = "give a CSV file or a folder of pictures"
        raise UserError(f"{source} does not exist; {cure}", about=str(source))
    problems += _problems(root_of(path), rows, needed)
    return sorted(rows, key=lambda row: row.path)


def _tree_rows(root: Path, problems: list[Problem]) -> list[OwnRow]:
    rows = []
    for kind in modality.MODALITIES:
        for identity in subfolders(root / kind):
            folder = f"{kind}/{identity}"
            for path in images(root, folder, problems):
                rows.append(OwnRow(path, path, identity, kind))
            for camera in subfolders(root / folder):
                for path in images(root, f"{folder}/{camera}", problems):
                    rows.append(OwnRow(path, path, identity, kind, camera))
    return rows


def _csv_rows(path: Path, problems: list[Problem], needed: Sequence[str]) -> Iterator[OwnRow]:
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            lines = list(csv.reader(file, delimiter=_delimiter(file), strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(
            f"{path} cannot be read as a CSV file in UTF-8 ({reason})", about=str(path)
        ) from None
    header = [name.strip().lower() for name in lines[0]] if lines else []
    _check_header(path, header, needed)
    for number, cells in enumerate(lines[1:], 2):
        if len(cells) == len(header):
            named = dict(zip(header, (cell.strip() for cell in cells), strict=True))
            yield OwnRow(f"row {number}", **{name: named.get(name, "") for name in COLUMNS})
        elif cells:
            fault = f"{len(cells)} cells, the header has {len(header)}"
            problems.append(problem(f"row {number}", fault))


def _delimiter(file: TextIO) -> str:
    """Return what separates the names of the header: a comma, or what spreadsheets use instead."""
    header = file.readline()
    file.seek(0)
    return next((mark for mark in ",;\t" if mark in header), ",")


def _check_header(path: Path, header: list[str], needed: Sequence[str]) -> None:
    problems = [
        Problem(name, f"the column '{name}' is missing") for name in needed if name not in header
    ]
    problems += [
        Problem(name, f"the column '{name}' is there {times} times")
        for name, times in Counter(header).items()
        if times > 1 and name in COLUMNS
    ]
    if problems:
        raise UserError.listing(
            f"{path} begins with the columns {', '.join(header) or '(none)'}:",
            problems,
            f"Its first line must name the columns, such as {','.join(COLUMNS)}.",
        )


def _problems(root: Path, rows: list[OwnRow], needed: Sequence[str]) -> Iterator[Problem]:
    """Yield every fault of every row."""
    first: dict[str, str] = {}
    some_cameras = any(row.camera for row in rows)
    for row in rows:
        for fault in _faults(root, row, needed):
            yield problem(row.place, printable(fault))
        if some_cameras and not row.camera:
            fault = "has no camera, but others have: give every picture one, or none"
            yield problem(row.place, fault)
        if row.path and row.path in first:
            yield problem(row.place, f"'{row.path}' is there already in {first[row.path]}")
        first.setdefault(row.path, row.place)


def _faults(root: Path, row: OwnRow, needed: Sequence[str]) -> Iterator[str]:
    for name in needed:
        if not getattr(row, name):
            yield f"{name} is empty"
    if row.modality and row.modality not in modality.MODALITIES:
        yield f"modality '{row.modality}', expected {' or '.join(modality.MODALITIES)}"
    if row.split and row.split not in SPLITS:
        yield f"split '{row.split}', expected {' or '.join(SPLITS)}"
    if row.path and (fault := _path_fault(root / row.path)):
        yield f"'{row.path}' {fault}"


def _path_fault(path: Path) -> str | None:
    if "\0" in str(path) or not os.path.exists(path):
        return "does not exist"
    if not path.is_file():
        return "is not a file"
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        return f"is not an image that can be read ({', '.join(IMAGE_SUFFIXES)})"
    return None
