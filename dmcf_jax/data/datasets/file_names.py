"""Who, which camera and which modality the names of files say, in published data sets.

Market-1501, DukeMTMC-reID and MSMT17 keep identity and camera in the names of their files alone;
LLCM and RegDB keep the modality there, too. Names count only where those of all pictures are of one
such kind, and what is taken from them is said in a note.
"""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from dmcf_jax.data.datasets.own_row import OwnRow
from dmcf_jax.errors import Problem
from dmcf_jax.modality import MODALITIES

# Folders of these data sets that are no identities.
PARTS = ("bounding_box_train", "bounding_box_test", "gt_bbox", "query", "gallery", "train", "test")
NOBODY = {"-1": "junk", "0000": "distractors"}  # identities in Market-1501 that are no person
_MODALITY = {"vis": 0, "v": 0, "nir": 1, "t": 1}


class Kind(NamedTuple):
    """One way to name files: of a data set, an example, and the pattern without the ending."""

    title: str
    example: str
    pattern: str


KINDS = (
    Kind(
        "Market-1501",
        "0002_c1s1_000451_03.jpg",
        r"(?P<identity>-1|\d{4})_c(?P<camera>\d)s\d_\d{6}_\d{2}",
    ),
    Kind("DukeMTMC-reID", "0002_c1_f0044158.jpg", r"(?P<identity>\d{4})_c(?P<camera>\d)_f\d{7}"),
    Kind(
        "MSMT17",
        "0000_000_01_0303morning_0008_0.jpg",
        r"(?P<identity>\d{4})_\d{3}_(?P<camera>\d{2})_\d{4}(morning|noon|afternoon)_\d{4}_\d(_ex)?",
    ),
    Kind(
        "LLCM",
        "0001_c01_s120512_f1010_vis.jpg",
        r"(?P<identity>\d{4})_c(?P<camera>\d{2})_s\d{6}_f\d+_(?P<modality>vis|nir)",
    ),
    Kind(
        "RegDB",
        "male_back_v_05528_285.bmp",
        r"(fe)?male_(front|back)_(?P<modality>[vt])_\d{5}_(?P<identity>\d+)",
    ),
)


def kind_of(names: Sequence[str]) -> Kind | None:
    """Return the kind that the names of all files are of, None if there is none or no file."""
    stems = {PurePosixPath(name).name.split(".")[0] for name in names}
    return next(
        (k for k in KINDS if stems and all(re.fullmatch(k.pattern, stem) for stem in stems)), None
    )


def with_names(
    rows: list[OwnRow], notes: list[str], people_only: bool, problems: list[Problem]
) -> list[OwnRow]:
    """Return rows with what the names of their files say, where their folders do not say it.

    Args:
        rows: of all pictures; `identity` and `camera` are those of folders, '' where unknown.
        notes: receives a line on what was taken from the names.
        people_only: leave out junk and distractors.
        problems: receives a line if names say another modality than the rows.
    """
    kind = kind_of([row.path for row in rows])
    if kind is None:
        return rows
    found = [_with_name(row, kind) for row in rows]
    _refuse_others(rows, kind, problems)
    taken = [
        name
        for name in ("identity", "camera")
        if any(getattr(a, name) != getattr(b, name) for a, b in zip(rows, found, strict=True))
    ]
    if taken:
        what = " and ".join(taken)
        notes.append(f"{what} are those in the names of files, as in {kind.title} ({kind.example})")
    return _people(found, notes) if people_only and kind.title == "Market-1501" else found


def _with_name(row: OwnRow, kind: Kind) -> OwnRow:
    said = _said(row, kind)
    identity = "" if row.identity.lower() in PARTS else row.identity
    return row._replace(
        identity=identity or said["identity"], camera=row.camera or said.get("camera", "")
    )


def _said(row: OwnRow, kind: Kind) -> dict[str, str]:
    match = re.fullmatch(kind.pattern, PurePosixPath(row.path).name.split(".")[0])
    assert match, f"{row.path} is not named as in {kind.title}"
    return match.groupdict()


def _refuse_others(rows: list[OwnRow], kind: Kind, problems: list[Problem]) -> None:
    wrong = [
        row.path
        for row in rows
        if row.modality and "modality" in (said := _said(row, kind))
        if MODALITIES[_MODALITY[said["modality"]]] != row.modality
    ]
    if wrong:
        text = (
            f"{len(wrong)} pictures, such as {wrong[0]}, are of the other modality by their names, "
            f"as in {kind.title}"
        )
        problems.append(Problem("modality", text))


def _people(rows: list[OwnRow], notes: list[str]) -> list[OwnRow]:
    for identity, word in NOBODY.items():
        number = sum(row.identity == identity for row in rows)
        if number:
            notes.append(f"left out: {word} (identity {identity}): {number}")
    return [row for row in rows if row.identity not in NOBODY]
