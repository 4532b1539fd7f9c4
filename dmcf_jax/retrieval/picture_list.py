"""The pictures that a file, a folder, folders by identity, or a CSV file name."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from dmcf_jax.data.datasets import own_table
from dmcf_jax.data.datasets.file_names import with_names
from dmcf_jax.data.datasets.folder_names import ancestor_contradiction, contradictions
from dmcf_jax.data.datasets.own_row import OwnRow
from dmcf_jax.data.datasets.walk import folders_of, walk
from dmcf_jax.data.file_kinds import NAMED, TABLES, refusal, suffix_of
from dmcf_jax.errors import Problem, UserError
from dmcf_jax.modality import MODALITIES
from dmcf_jax.runtime.paths import local_path


@dataclass(frozen=True)
class ImageList:
    """Pictures in order of path; the paths of `rows` start from `root`.

    `notes` are lines on what was left out.
    """

    root: Path
    rows: list[OwnRow]
    notes: tuple[str, ...] = ()

    def digest(self) -> str:
        """Return the SHA-256 over paths and metadata, not over the pictures themselves."""
        lines = (f"{tuple(row)[1:]}\n" for row in self.rows)
        return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def list_images(
    source: str | Path,
    modality: str | None,
    flag: str = "--images",
    modality_flag: str = "--modality",
) -> ImageList:
    """Return the pictures of `source`.

    A CSV file and a folder with the subfolders `visible` and `infrared` may give the modality of
    each picture; `modality` then selects pictures. For a single file or any other folder, which is
    searched with all its subfolders, `modality` is that of all pictures; identity and camera are
    known only where the names of files say them, see `file_names`.

    Args:
        source: an image file, a folder, or a CSV file with the column `path`.
        modality: 'visible' or 'infrared'; None takes all pictures, whose modality must be known.
        flag, modality_flag: flags of `source` and `modality`, for messages.

    Raises:
        UserError: there are no pictures, their modality is not known or contradicted by the names
            of folders, or all faulty rows at once.
    """
    path = local_path(source, flag)
    if modality is not None and modality not in MODALITIES:
        text = f"modality '{modality}' is not known: choose {' or '.join(MODALITIES)}"
        raise UserError(text, about=modality_flag)
    if not path.exists():
        text = f"{flag}={source} does not exist; give a picture, a folder or a CSV file"
        raise UserError(text, about=flag)
    problems: list[Problem] = []
    notes: list[str] = []
    rows = _rows(path, modality, problems, notes, flag)
    rows = [row for row in rows if modality in (None, row.modality or modality)]
    if problems:
        title = f"{len(problems)} problem{'s' * (len(problems) > 1)} in {flag}={source}:"
        raise UserError.listing(title, problems)
    if not rows:
        kind = f"{modality} images" if modality else "images"
        text = "; ".join([f"{flag}={source} has no {kind} ({NAMED})", *notes])
        raise UserError(text, about=flag)
    if any(not (modality or row.modality) for row in rows):
        raise UserError(
            f"are the pictures of {flag}={source} visible or infrared? The network treats them "
            f"differently: add {modality_flag}={' or '.join(MODALITIES)}",
            about=modality_flag,
        )
    return ImageList(
        own_table.root_of(path).absolute(),
        [row._replace(modality=row.modality or modality) for row in rows],
        tuple(notes),
    )


def _rows(
    path: Path, modality: str | None, problems: list[Problem], notes: list[str], flag: str
) -> list[OwnRow]:
    if own_table.has_layout(path) or suffix_of(path.name) in TABLES:
        return own_table.read_rows(path, problems, needed=("path",), notes=notes)
    if modality and (wrong := ancestor_contradiction(path, modality, flag)):
        problems.append(wrong)
    names = [path.name]
    if path.is_file():
        fault = refusal(path.name)
        problems += [Problem(flag, f"{path}: {fault}")] if fault else []
    else:
        found = walk(path)
        names = found.pictures
        notes += found.notes()
        if modality:
            problems += contradictions(path, folders_of(names), modality, flag)
    rows = [OwnRow(name, name, modality=modality or "") for name in names]
    if problems:
        return rows
    return with_names(rows, notes, people_only=False, problems=problems)
