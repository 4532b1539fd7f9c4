"""A folder of a user's pictures as rows: who and where follows from the folders' names.

`visible/<identity>/*` and `infrared/<identity>/*`; a folder below an identity's is a camera. Names
of files as in Market-1501 say both, see `file_names`. Any other order of folders is described by a
pattern such as '{split}/{identity}/{modality}/{camera}'.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from dmcf_jax.data.datasets.file_names import kind_of, with_names
from dmcf_jax.data.datasets.folder_names import modality_of
from dmcf_jax.data.datasets.listing import problem
from dmcf_jax.data.datasets.own_row import COLUMNS, SPLITS, OwnRow, same_form
from dmcf_jax.data.datasets.walk import Found, named, walk
from dmcf_jax.errors import Problem, UserError
from dmcf_jax.modality import MODALITIES

FIELDS = COLUMNS[1:]  # what a pattern may name
PATTERN = "{modality}/{identity}/{camera}"
VCM = "{split}/{identity}/{modality}/{camera}"  # HITSZ-VCM: Train/0001/rgb/D1/*.jpg
NEEDED_IN_PATTERN = ("identity", "modality")


def tree_rows(
    root: Path, problems: list[Problem], notes: list[str], needed: Sequence[str]
) -> list[OwnRow]:
    """Return the pictures of a tree with `visible` or `infrared` at its root.

    Args:
        problems: receives pictures without an identity, if that is `needed`.
        notes: receives a line for whatever is left out or not where it is expected.
        needed: columns that must be known of every picture.
    """
    found, rows, deep = walk(root), [], []
    for path in found.pictures:
        kind, *folders = path.split("/")[:-1] or [""]
        if kind not in MODALITIES:
            found.leave_out("pictures outside of visible/ and infrared/", path)
            continue
        identity, camera, *below = [*folders, "", ""]
        deep += [path] if any(below) else []
        rows.append(OwnRow(path, path, same_form(identity), kind, same_form(camera)))
    rows = with_names(rows, notes, people_only="identity" in needed, problems=problems)
    nobody = [row.path for row in rows if not row.identity]
    if nobody and "identity" in needed:
        text = f"no folder of an identity: {named(nobody)}; expected visible/<identity>/*.jpg"
        problems.append(Problem("identity", text))
        rows = [row for row in rows if row.identity]
    if deep:
        notes.append(f"in folders below a camera's, taken as its pictures: {named(deep)}")
    notes += found.notes()
    if "identity" in needed:
        problems += refused(found)
    return rows


def pattern_rows(
    root: Path, pattern: str, problems: list[Problem], notes: list[str]
) -> list[OwnRow]:
    """Return the pictures of a tree whose folders are in the order of `pattern`.

    Args:
        pattern: names of folders, of which {identity}, {modality}, {camera} and {split} are
            fields and * is any; folders below the last one may be there.
        problems: receives folders that name no modality or no split.
        notes: receives a line for whatever is left out.

    Raises:
        UserError: the pattern has no identity or modality, or an unknown field.
    """
    expression, found, rows = _expression(pattern), walk(root), []
    for path in found.pictures:
        match = expression.match(path)
        if match is None:
            found.leave_out(f"pictures that do not fit {pattern}", path)
            continue
        cells = {name: same_form(value) for name, value in match.groupdict().items()}
        cells |= {"modality": modality_of(cells["modality"]) or cells["modality"]}
        if "split" in cells:
            cells["split"] = cells["split"].lower()
        rows.append(OwnRow(path, path, **cells))
    notes += found.notes()
    problems += refused(found)
    return rows


def _expression(pattern: str) -> re.Pattern[str]:
    words = [word for word in pattern.strip("/").split("/") if word]
    fields = [word[1:-1] for word in words if re.fullmatch(r"\{.*\}", word)]
    problems = [
        problem(name, f"not a field; choose {', '.join(FIELDS)}")
        for name in fields
        if name not in FIELDS
    ]
    problems += [
        problem(name, "named twice") for name in sorted(set(fields)) if fields.count(name) > 1
    ]
    problems += [problem(n, "not in the pattern") for n in NEEDED_IN_PATTERN if n not in fields]
    if problems:
        raise UserError.listing(f"--pattern={pattern} cannot be used:", problems)
    parts = [_part(word) for word in words]
    return re.compile("/".join(parts) + "/(?:.*/)?[^/]+$")


def _part(word: str) -> str:
    if re.fullmatch(r"\{.*\}", word):
        return f"(?P<{word[1:-1]}>[^/]+)"
    return re.escape(word).replace(r"\*", "[^/]*")


def refused(found: Found) -> list[Problem]:
    """Return a problem for each picture that is meant to be read and cannot be."""
    reasons = ("pictures of kinds", "broken links")
    return [
        problem(path, reason)
        for reason, paths in found.left_out.items()
        if reason.startswith(reasons)
        for path in paths
    ]


def nothing_in(root: Path) -> Problem:
    """Return why a tree has no pictures, with the way out where its layout is a known one."""
    pictures = walk(root).pictures
    fault = "no images found; expected visible/<identity>/*.jpg and infrared/<identity>/*.jpg"
    for path in pictures:
        folders = path.split("/")[:-1]
        kinds = [modality_of(folder) for folder in folders]
        if not any(kinds):
            continue
        at = kinds.index(next(kind for kind in kinds if kind))
        if folders[0].lower() in SPLITS and at == 2:
            return problem(str(root), f"{fault}. For these folders add --pattern='{VCM}'")
        if folders[at] in MODALITIES:
            begins = f"They begin below: --source={root.joinpath(*folders[:at])}"
        else:
            order = "/".join(["*"] * at + ["{modality}", "{identity}"])
            begins = f"'{folders[at]}' is not taken for one: rename it, or --pattern='{order}'"
        return problem(str(root), f"{fault}. {begins}")
    if kind := kind_of(pictures):
        cure = f"The files are named as in {kind.title}: put those of one modality into its folder"
        return problem(str(root), f"{fault}. {cure}")
    return problem(str(root), f"{fault} (or add --pattern, see dmcf prepare_data --help)")
