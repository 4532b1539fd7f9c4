"""A CSV file of a user's pictures as rows, as people and spreadsheets write such files."""

import csv
import io
import os
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from dmcf_jax.data.datasets.listing import problem
from dmcf_jax.data.datasets.own_row import COLUMNS, OwnRow, same_form
from dmcf_jax.errors import Problem, UserError

MARKS = ",;\t"
SAVE_AS = "in a spreadsheet: save as 'CSV UTF-8'"


def csv_rows(path: Path, problems: list[Problem], needed: Sequence[str]) -> Iterator[OwnRow]:
    """Yield the rows of a CSV file; empty ones are left out.

    Args:
        problems: receives each row with too few or too many cells.
        needed: columns that the header must name.

    Raises:
        UserError: it cannot be read, or its header lacks a needed column.
    """
    lines = list(_lines(path))
    header = [name.strip().lower() for name in lines[0][1]] if lines else []
    _check_header(path, header, needed)
    for number, cells in lines[1:]:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) < len(header) or any(cell.strip() for cell in cells[len(header) :]):
            fault = f"{len(cells)} cells, the header has {len(header)}"
            problems.append(problem(f"row {number}", fault))
            continue
        named = dict(zip(header, (cell.strip() for cell in cells), strict=False))
        yield _row(path.parent, f"row {number}", {name: named.get(name, "") for name in COLUMNS})


def _row(root: Path, place: str, cells: dict[str, str]) -> OwnRow:
    cells |= {name: same_form(cells[name]) for name in ("identity", "camera")}
    cells |= {name: cells[name].lower() for name in ("modality", "split")}
    return OwnRow(place, **cells | {"path": _as_on_disk(root, cells["path"])})


def _as_on_disk(root: Path, path: str) -> str:
    """Return the spelling of `path` that exists: with '/' for backslashes, in either form."""
    slashed = path.replace("\\", "/")
    forms = [unicodedata.normalize(form, slashed) for form in ("NFC", "NFD")]
    spellings = [path, slashed, *forms]
    return next((one for one in spellings if one and _exists(root / one)), path)


def _exists(path: Path) -> bool:
    return "\0" not in str(path) and os.path.exists(path)


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield (number, cells) of each line, without a spreadsheet's 'sep=;'."""
    text = io.StringIO(_text(path), newline="")
    start, first = text.readline(), 0
    if start.lower().startswith("sep="):
        mark, first = start.strip()[4:5] or ",", 1
    else:
        mark = next((mark for mark in MARKS if mark in start), ",")
        text.seek(0)
    reader = csv.reader(text, delimiter=mark, strict=True)
    try:
        for cells in reader:
            yield reader.line_num + first, cells
    except csv.Error as error:
        row = reader.line_num + first
        raise UserError(
            f"{path}, row {row}: {error}. A quotation mark inside of a cell is written twice.",
            about=f"row {row}",
        ) from None


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            return data.decode("utf-16")
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        fault = f"is not a text file in UTF-8: {SAVE_AS}"
    except OSError as error:
        fault = f"cannot be read ({error.strerror})"
    raise UserError(f"{path} {fault}", about=str(path)) from None


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
