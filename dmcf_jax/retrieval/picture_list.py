"""The pictures that a file, a folder, folders by identity, or a CSV file name."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dmcf_jax.data.datasets import own_table
from dmcf_jax.data.datasets.image_folders import IMAGE_SUFFIXES
from dmcf_jax.data.datasets.own_table import OwnRow
from dmcf_jax.errors import Problem, UserError
from dmcf_jax.modality import MODALITIES


@dataclass(frozen=True)
class ImageList:
    """Pictures in order of path; the paths of `rows` start from `root`."""

    root: Path
    rows: list[OwnRow]

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
    searched with all its subfolders, `modality` is that of all pictures.

    Args:
        source: an image file, a folder, or a CSV file with the column `path`.
        modality: 'visible' or 'infrared'; None takes all pictures, whose modality must be known.
        flag, modality_flag: flags of `source` and `modality`, for messages.

    Raises:
        UserError: there are no pictures, their modality is not known, or all faulty rows at once.
    """
    path = Path(source)
    if modality is not None and modality not in MODALITIES:
        text = f"modality '{modality}' is not known: choose {' or '.join(MODALITIES)}"
        raise UserError(text, about=modality_flag)
    if not path.exists():
        text = f"{flag}={source} does not exist; give a picture, a folder or a CSV file"
        raise UserError(text, about=flag)
    problems: list[Problem] = []
    rows = [row for row in _rows(path, problems) if modality in (None, row.modality or modality)]
    if problems:
        title = f"{len(problems)} problem{'s' * (len(problems) > 1)} in {flag}={source}:"
        raise UserError.listing(title, problems)
    if not rows:
        kind = f"{modality} images" if modality else "images"
        raise UserError(f"{flag}={source} has no {kind} (JPEG, PNG or BMP)", about=flag)
    if any(not (modality or row.modality) for row in rows):
        raise UserError(
            f"are the pictures of {flag}={source} visible or infrared? The network treats them "
            f"differently: add {modality_flag}={' or '.join(MODALITIES)}",
            about=modality_flag,
        )
    return ImageList(
        own_table.root_of(path).absolute(),
        [row._replace(modality=row.modality or modality) for row in rows],
    )


def _rows(path: Path, problems: list[Problem]) -> list[OwnRow]:
    if path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES:
        return [OwnRow(path.name, path.name)]
    if path.is_file() or own_table.has_layout(path):
        return own_table.read_rows(path, problems, needed=("path",))
    return [OwnRow(name, name) for name in sorted(_walk(path))]


def _walk(root: Path) -> Iterator[str]:
    """Yield the relative path of every image below `root`; hidden ones are left out."""
    for folder, below, names in os.walk(root):
        below[:] = [name for name in below if not name.startswith(".")]
        for name in names:
            if name.lower().endswith(IMAGE_SUFFIXES) and not name.startswith("."):
                yield os.path.relpath(os.path.join(folder, name), root).replace(os.sep, "/")
