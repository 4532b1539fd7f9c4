"""The folders and image files of a data set's tree, and everything wrong with them.

Readers of a layout walk the tree to its known depth and decode nothing. Links are followed as long
as they stay under the root, or under the folder that a top-level folder links to (such as one on
another disk). Since the depth is fixed, a loop of links cannot trap the walk.
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from dmcf_jax.data.datasets.listing import problem
from dmcf_jax.data.file_kinds import OTHER_PICTURES, PICTURES, is_of_machines, refusal, suffix_of
from dmcf_jax.errors import Problem

LEAVES = "a link that leaves the data set's root"
MANY_LINKS = 5  # more are one problem
# Read elsewhere; in a published data set they are conversions, whose pixels may be others.
NOT_PUBLISHED = (".tif", ".tiff", ".webp")


def subfolders(directory: Path) -> list[str]:
    """Return the names of the folders in `directory`, sorted, without those of programs."""
    try:
        entries = list(os.scandir(directory))
    except OSError:
        return []
    return sorted(e.name for e in entries if not is_of_machines(e.name) and _is_folder(e))


def find_images(
    root: Path, folders: Iterable[str], pattern: str, example: str, problems: list[Problem]
) -> dict[str, None]:
    """Return the paths of the images in `folders`, each named after an identity.

    Args:
        root: root of the data set.
        folders: relative to `root`.
        pattern: of an identity's folder name; others become problems.
        example: of such a name, for the message.
        problems: receives also those of `images`.

    Returns:
        Paths relative to `root` as the keys of a dictionary: in order, and quick to look up.
    """
    paths: dict[str, None] = {}
    found: list[Problem] = []
    for folder in folders:
        if re.fullmatch(pattern, folder.rsplit("/", 1)[1]):
            paths.update(dict.fromkeys(images(root, folder, found)))
        else:
            found.append(problem(printable(folder), f"expected a folder such as {example}"))
    problems += _links_as_one(found)
    return paths


def _links_as_one(problems: list[Problem]) -> list[Problem]:
    """Return problems with those of links that leave the root as one, where there are many."""
    links = [one for one in problems if LEAVES in one.text]
    if len(links) <= MANY_LINKS:
        return problems
    top = links[0].about.split("/")[0]
    text = (
        f"{top}: {len(links)} links lead out of the data set's root, such as {links[0].about}: "
        f"copy what they lead to, or let {top} itself be a link to one folder"
    )
    return [one for one in problems if LEAVES not in one.text] + [Problem(top, text)]


def images(root: Path, folder: str, problems: list[Problem]) -> list[str]:
    """Return the paths ('folder/name') of the image files in one folder, sorted.

    Hidden files and files that are no images (Thumbs.db, *.txt) are ignored. Links that are broken
    or leave the tree, images of a kind that is not read and names that are not UTF-8 become
    problems.
    """
    try:
        entries = sorted(os.scandir(root / folder), key=lambda entry: entry.name)
    except OSError as error:
        problems.append(problem(folder, f"cannot be listed ({error.strerror})"))
        return []
    if not _stays_inside(root, folder, os.path.join(root, folder)):
        fault = f"{LEAVES}: copy the folder here"
        problems.append(problem(folder, fault))
        return []
    paths = []
    for entry in entries:
        suffix = suffix_of(entry.name)
        if entry.name.startswith(".") or suffix not in PICTURES + OTHER_PICTURES:
            continue
        if fault := _fault(root, folder, entry):
            problems.append(problem(printable(f"{folder}/{entry.name}"), fault))
        else:
            paths.append(f"{folder}/{entry.name}")
    return paths


def _fault(root: Path, folder: str, entry: os.DirEntry) -> str | None:
    if fault := refusal(entry.name):
        return fault
    if suffix_of(entry.name) in NOT_PUBLISHED:
        return "no published data set has this kind: copy the files of its archive"
    if printable(entry.name) != entry.name:
        return "the name is not valid UTF-8: rename it"
    if not _is_file(entry):
        return "a broken link" if entry.is_symlink() else "not a file"
    if entry.is_symlink() and not _stays_inside(root, folder, entry.path):
        return f"{LEAVES}: copy the file here"
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
