"""One walk over a folder of pictures, for every command, with a count of all that it leaves out.

Links are followed. A folder that is reached a second time, by a link, is left out and counted, so
that no loop can trap the walk and no picture is taken twice.
"""

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

from dmcf_jax.data.datasets.image_folders import printable
from dmcf_jax.data.file_kinds import OTHER_PICTURES, PICTURES, VIDEOS, is_of_machines, suffix_of

MOST_NAMED = 3  # files that one line names


@dataclasses.dataclass
class Found:
    """The pictures below a folder and what was left out.

    Attributes:
        pictures: paths relative to the folder, with '/', sorted.
        left_out: paths of files and folders by the reason.
    """

    pictures: list[str] = dataclasses.field(default_factory=list)
    left_out: dict[str, list[str]] = dataclasses.field(default_factory=dict)

    def leave_out(self, reason: str, path: str) -> None:
        """Count a path that is not read."""
        self.left_out.setdefault(reason, []).append(path)

    def notes(self) -> list[str]:
        """Return a line for each reason: how many, why, and the first names."""
        return [f"left out: {reason}: {named(paths)}" for reason, paths in self.left_out.items()]


def named(paths: list[str]) -> str:
    """Return how many `paths` there are and the first of them."""
    first = ", ".join(map(printable, sorted(paths)[:MOST_NAMED]))
    return f"{len(paths)} ({first}{', ...' if len(paths) > MOST_NAMED else ''})"


def walk(root: str | Path) -> Found:
    """Return all pictures in and below `root`."""
    found, seen = Found(), set()
    waiting, links = [""], []
    while waiting or links:
        # Links come last: what they lead to keeps the name that it has without them.
        folder = waiting.pop() if waiting else links.pop(0)
        try:
            status = os.stat(os.path.join(root, folder))
            entries = sorted(os.scandir(os.path.join(root, folder)), key=lambda e: e.name)
        except OSError as error:
            found.leave_out(f"folders that cannot be read ({error.strerror})", folder)
            continue
        if (status.st_dev, status.st_ino) in seen:
            found.leave_out("links to folders that are read already", folder)
            continue
        seen.add((status.st_dev, status.st_ino))
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if not _is_folder(entry):
                _take(found, path, entry)
            elif is_of_machines(entry.name):
                found.leave_out("hidden folders and those that programs make", path)
            else:
                (links if entry.is_symlink() else waiting).append(path)
    found.pictures.sort()
    return found


def _take(found: Found, path: str, entry: os.DirEntry) -> None:
    suffix = suffix_of(entry.name)
    if entry.name.startswith("."):
        found.leave_out("hidden files", path)
    elif suffix in VIDEOS:
        found.leave_out("videos (cut them into frames)", path)
    elif suffix in OTHER_PICTURES:
        found.leave_out("pictures of kinds that are not read (convert them to JPEG or PNG)", path)
    elif suffix not in PICTURES:
        found.leave_out("files that are no pictures", path)
    elif not _is_file(entry):
        found.leave_out("broken links and what is no file", path)
    else:
        found.pictures.append(path)


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a loop of links
        return False


def _is_file(entry: os.DirEntry) -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False


def folders_of(pictures: list[str]) -> Iterator[str]:
    """Yield every folder that pictures lie in or below, once, outer ones first."""
    seen = {""}
    for path in pictures:
        parts = path.split("/")[:-1]
        for depth in range(1, len(parts) + 1):
            folder = "/".join(parts[:depth])
            if folder not in seen:
                seen.add(folder)
                yield folder
