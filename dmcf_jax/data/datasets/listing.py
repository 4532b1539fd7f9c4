"""What a user's own download holds: the records of each split, and everything wrong with it.

A reader of a layout (`sysu_mm01_tree`, `regdb_tree`, `llcm_tree`) walks the tree to its known
depth, collects every problem it meets and decodes nothing. Links are followed as long as they
stay under the root, or under the place that a top-level folder links to (a disk elsewhere);
since the depth is fixed, a loop of links cannot trap the walk.
"""

import dataclasses
import os
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from dmcf_jax import modality

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")
FOREIGN_SUFFIXES = (".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".heic", ".avif", ".jp2")
LANDMARKS = {
    "sysu_mm01": ("cam1", "cam2", "cam3", "cam4", "cam5", "cam6", "exp"),
    "regdb": ("Visible", "Thermal", "idx"),
    "llcm": ("vis", "nir", "idx"),
}
TITLES = {"sysu_mm01": "SYSU-MM01", "regdb": "RegDB", "llcm": "LLCM", "own": "your own data"}


class Record(NamedTuple):
    """One image: `path` relative to the root with '/', pid, camera number, modality 0 or 1."""

    path: str
    identity: int
    camera: int
    modality: int


@dataclasses.dataclass
class Listing:
    """What one tree holds.

    `problems` make the tree unusable; `mismatches` are differences from the published data set,
    which `--unofficial` accepts; `notes` are only told. Records are sorted by path.
    """

    splits: dict[str, list[Record]] = dataclasses.field(default_factory=dict)
    problems: list[str] = dataclasses.field(default_factory=list)
    mismatches: list[str] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)

    def paths(self) -> list[str]:
        """Return the relative path of every image in any split, once, sorted."""
        return sorted({record.path for records in self.splits.values() for record in records})

    def add_split(self, name: str, records: list[Record]) -> None:
        """Keep the records of a split in record order, that of their paths."""
        self.splits[name] = sorted(records)
        if not records:
            self.problems.append(f"split '{name}' has no image")


def count(records: list[Record]) -> dict[str, object]:
    """Return what is published of a split: identities, images per modality and per camera."""
    cameras = Counter(record.camera for record in records)
    modalities = Counter(record.modality for record in records)
    return {
        "identities": len({record.identity for record in records}),
        "visible": modalities[modality.VISIBLE],
        "infrared": modalities[modality.INFRARED],
        "cameras": {str(camera): cameras[camera] for camera in sorted(cameras)},
    }


def missing_landmarks(root: Path, name: str) -> list[str]:
    """Return a problem for each folder that layout `name` needs, and what it looks like."""
    missing = [folder for folder in LANDMARKS[name] if not os.path.isdir(root / folder)]
    problems = [f"{root / folder}: this folder is missing" for folder in missing]
    if missing and (hint := _recognise(root, name)):
        problems.insert(0, hint)
    return problems


def _recognise(root: Path, name: str) -> str | None:
    """Say which layout `root` has instead of `name`, or where below it `name` begins."""
    for other in LANDMARKS:
        if other != name and _resembles(root, other):
            return f"{root} looks like {TITLES[other]}, not {TITLES[name]}: --dataset={other}"
    for folder in subfolders(root)[:100]:
        if _resembles(root / folder, name):
            return f"{TITLES[name]} begins one folder below: --source={root / folder}"
    return None


def _resembles(root: Path, name: str) -> bool:
    return all(os.path.isdir(root / folder) for folder in LANDMARKS[name][:-1])


def subfolders(directory: Path) -> list[str]:
    """Return the names of the folders in `directory`, sorted, hidden ones left out."""
    try:
        entries = list(os.scandir(directory))
    except OSError:
        return []
    return sorted(e.name for e in entries if not e.name.startswith(".") and _is_folder(e))


def images(root: Path, folder: str, problems: list[str]) -> list[str]:
    """Return the paths ('folder/name') of the image files in one folder, sorted.

    Hidden and stray files (Thumbs.db, *.txt) are passed over; links that break or leave the
    tree, images of a kind that is not read and names that are not UTF-8 become problems.
    """
    try:
        entries = sorted(os.scandir(root / folder), key=lambda entry: entry.name)
    except OSError as error:
        problems.append(f"{folder}: cannot be listed ({error.strerror})")
        return []
    if not _stays_inside(root, folder, os.path.join(root, folder)):
        problems.append(f"{folder}: a link that leaves the data set's root: copy the folder here")
        return []
    found = []
    for entry in entries:
        suffix = os.path.splitext(entry.name)[1].lower()
        if entry.name.startswith(".") or suffix not in IMAGE_SUFFIXES + FOREIGN_SUFFIXES:
            continue
        if problem := _unfit(root, folder, entry, suffix):
            problems.append(f"{printable(f'{folder}/{entry.name}')}: {problem}")
        else:
            found.append(f"{folder}/{entry.name}")
    return found


def _unfit(root: Path, folder: str, entry: os.DirEntry, suffix: str) -> str | None:
    if suffix in FOREIGN_SUFFIXES:
        return f"{suffix} is not read: convert it to JPEG, PNG or BMP"
    if printable(entry.name) != entry.name:
        return "the name is not valid UTF-8: rename it"
    if not _is_file(entry):
        return "a broken link" if entry.is_symlink() else "not a file"
    if entry.is_symlink() and not _stays_inside(root, folder, entry.path):
        return "a link that leaves the data set's root: copy the file here"
    return None


def _stays_inside(root: Path, folder: str, path: str) -> bool:
    target = os.path.realpath(path)
    homes = (os.path.realpath(root), os.path.realpath(root / folder.split("/")[0]))
    return any(os.path.commonpath((home, target)) == home for home in homes)


def printable(name: str) -> str:
    """Return `name` with what cannot be written as UTF-8 replaced, for messages."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_file(entry: os.DirEntry) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a loop of links
        return False
