"""SHA-256 of every file of a folder, in the format of `sha256sum`, and whether they still hold.

By hand: `cd FOLDER && sha256sum --check SHA256SUMS`.
"""

import hashlib
import os
from collections.abc import Collection
from pathlib import Path

NAME = "SHA256SUMS"


def write_checksums(folder: Path, leave_out: Collection[str] = ()) -> None:
    """Write `SHA256SUMS` of the files in and below `folder`, on the disk before it returns.

    Args:
        leave_out: relative paths that will still change.

    Raises:
        OSError: no room, no permission.
    """
    names = [name for name in _files(folder) if name not in leave_out]
    lines = [f"{file_digest(folder / name)}  {name}\n" for name in names]
    with open(folder / NAME, "w", encoding="utf-8") as file:
        file.write("".join(lines))
        file.flush()
        os.fsync(file.fileno())


def checksum_problems(folder: Path) -> list[str]:
    """Return a line for every file that is missing, unreadable or not as it was written."""
    try:
        text = (folder / NAME).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return [f"{NAME} is missing or unreadable: the files cannot be verified"]
    entries = [line.partition("  ") for line in text.splitlines()]
    sound = all(name and len(digest) == 64 for digest, _, name in entries)
    if not sound or not text.endswith("\n"):
        return [f"{NAME} is damaged: the files cannot be verified"]
    found = [(name, _problem(folder / name, digest)) for digest, _, name in entries]
    return [f"{name} {problem}" for name, problem in found if problem]


def _problem(path: Path, expected: str) -> str | None:
    try:
        return None if file_digest(path) == expected else "is damaged (its SHA-256 differs)"
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def file_digest(path: Path) -> str:
    """Return the SHA-256 (hex) of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files(folder: Path) -> list[str]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != NAME)
    return sorted(path.relative_to(folder).as_posix() for path in files)
