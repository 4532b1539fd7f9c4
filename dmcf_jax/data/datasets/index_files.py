"""Text files that define splits: lists of identities, and lists of `path label` lines."""

import os
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from dmcf_jax.data.datasets.image_folders import printable
from dmcf_jax.data.datasets.listing import Listing, problem
from dmcf_jax.errors import Problem

LARGEST = 64 << 20  # bytes
MOST_NAMED = 10  # identities that one message names


class Line(NamedTuple):
    """One usable line of an index file: its number (from 1), relative path and label."""

    number: int
    path: str
    label: int

    @property
    def identity(self) -> int:
        """The pid: the number that the image's folder is named after."""
        return int(self.path.split("/")[-2])


def read_identities(root: Path, name: str, problems: list[Problem]) -> list[int]:
    """Return the pids of a comma separated list such as exp/train_id.txt, in its order.

    Spaces, several lines and CRLF are accepted; anything but distinct numbers is a problem.
    """
    text = _read(root, name, problems)
    if text is None:
        return []
    words = [word for word in re.split(r"[,\s]+", text) if word]
    wrong = [word for word in words if not re.fullmatch(r"[0-9]{1,9}", word)]
    identities = [int(word) for word in words if re.fullmatch(r"[0-9]{1,9}", word)]
    repeated = sorted(pid for pid, times in Counter(identities).items() if times > 1)
    faults = [f"'{printable(word)[:40]}' is not an identity number" for word in wrong]
    faults += [f"identity {pid} is listed more than once" for pid in repeated]
    if not words:
        faults.append("holds no identity; expected one line such as 1,2,4")
    problems += [problem(name, fault) for fault in faults]
    return list(dict.fromkeys(identities))


def read_lines(
    root: Path, name: str, existing: Collection[str], problems: list[Problem]
) -> list[Line]:
    """Return the usable lines of an index file of `relative/path label` lines.

    Args:
        root: root of the data set.
        name: the index file, relative to `root`.
        existing: relative paths of the images that are there. A path is only ever looked up in
            here, so that no line can make the library open a file elsewhere.
        problems: receives one for each line without a label, with a path that leaves the root,
            that points nowhere or that repeats another line.
    """
    text = _read(root, name, problems)
    if text is None:
        return []
    folded = {path.lower(): path for path in existing} | {_stem(path): path for path in existing}
    lines: dict[str, Line] = {}
    for number, raw in enumerate(text.splitlines(), 1):
        if not raw.strip():
            continue
        path, _, label = raw.strip().rpartition(" ")
        path = path.strip()
        fault = _fault(path, label, raw.strip(), existing, folded)
        if not fault and path in lines:
            fault = f"repeats line {lines[path].number} ({path})"
        if fault:
            problems.append(Problem(name, f"{name} line {number}: {printable(fault)}"))
        else:
            lines[path] = Line(number, path, int(label))
    if not lines and not text.strip():
        problems.append(problem(name, "is empty; expected lines such as 'folder/1/image.bmp 0'"))
    return list(lines.values())


def _fault(
    path: str, label: str, raw: str, existing: Collection[str], folded: dict[str, str]
) -> str | None:
    if not re.fullmatch(r"[0-9]{1,9}", label):
        return f"has no label: '{raw[:120]}'; expected 'path label', a space between"
    if path.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", path):
        return f"'{path[:120]}' is absolute; paths are relative to the data set's root"
    if ".." in re.split(r"[/\\]", path):
        return f"'{path[:120]}' leaves the data set's root"
    if path in existing:
        return None
    near = next((folded[one] for one in _spellings(path) if one in folded), None)
    if near:
        return f"'{path[:120]}' does not exist, but '{near}' does: the names must be equal"
    if converted := folded.get(_stem(path)):
        return (
            f"'{path[:120]}' does not exist, but '{converted}' does: take the files of the "
            "archive, or name the converted ones in the lists"
        )
    return f"points to '{path[:120]}', which does not exist"


def _spellings(path: str) -> list[str]:
    """Return a path in small letters with '/', and without './' or folders above the root."""
    parts = [part for part in path.lower().replace("\\", "/").split("/") if part != "."]
    return ["/".join(parts[start:]) for start in range(min(3, len(parts)))]


def _stem(path: str) -> str:
    """Return a path without its ending, marked so that it equals no path."""
    return path.rpartition(".")[0] + "/*"


def has_no_lists(root: Path, names: Sequence[str]) -> bool:
    """Return whether none of a split's lists is there: the data may be those of another split."""
    return not any(os.path.lexists(root / name) for name in names)


def note_missing(
    listing: Listing, without: Sequence[str], there: Sequence[str], names: str
) -> None:
    """Say which splits have no lists: a mismatch where only 'test' has some, else a problem.

    Args:
        listing: receives it.
        without: splits without lists.
        there: splits with lists.
        names: of the lists, with {split}.
    """
    alone = list(there) == ["test"]
    for split in without:
        name = names.format(split=split)
        text = "this file is missing; copy it from the data set's archive"
        (listing.mismatches if alone else listing.problems).append(problem(name, text))
    if alone and without:
        listing.notes.append(f"a test set alone: there are no lists of {', '.join(without)}")


def check_labels(name: str, lines: Sequence[Line], problems: list[Problem]) -> dict[int, int]:
    """Return the label of each identity; every identity must have one label of its own."""
    labels, owners = defaultdict(set), defaultdict(set)
    for line in lines:
        labels[line.identity].add(line.label)
        owners[line.label].add(line.identity)
    for identity in (i for i in labels if len(labels[i]) > 1):
        fault = f"identity {identity} has the labels {sorted(labels[identity])}"
        problems.append(problem(name, fault))
    for label in (j for j in owners if len(owners[j]) > 1):
        fault = f"label {label} is given to identities {sorted(owners[label])}"
        problems.append(problem(name, fault))
    return {identity: min(given) for identity, given in labels.items()}


def compare_modalities(
    listing: Listing, names: tuple[str, str], labels: tuple[dict[int, int], dict[int, int]]
) -> bool:
    """Compare the labels of the visible and the infrared list of one split.

    Args:
        listing: receives a problem for each identity with two labels, and a mismatch where an
            identity is in one list only.
        names: of the visible and the infrared list.
        labels: by identity, in each list; empty for a list that could not be read.

    Returns:
        Whether both lists could be read and have the same identities.
    """
    visible, infrared = labels
    for pid in sorted(visible.keys() & infrared.keys()):
        if visible[pid] != infrared[pid]:
            fault = f"identity {pid} has label {infrared[pid]}, but {visible[pid]} in {names[0]}"
            listing.problems.append(problem(names[1], fault))
    if not visible or not infrared:
        return False
    for name, alone in zip(
        names, (visible.keys() - infrared.keys(), infrared.keys() - visible.keys()), strict=True
    ):
        if alone:
            shown = ", ".join(map(str, sorted(alone)[:MOST_NAMED]))
            listing.mismatches.append(problem(name, f"only this list has the identities {shown}"))
    return visible.keys() == infrared.keys()


def overlap(first: str, second: str, a: Collection[int], b: Collection[int]) -> list[Problem]:
    """Return a problem for each identity that is in both of two splits, given by their lists."""
    both = sorted(set(a) & set(b))
    return [Problem(second, f"identity {pid} is in both {first} and {second}") for pid in both]


def _read(root: Path, name: str, problems: list[Problem]) -> str | None:
    path = root / name
    try:
        if not path.is_file():
            fault = "this file is missing; copy it from the data set's archive"
        elif path.stat().st_size > LARGEST:
            fault = f"is larger than {LARGEST >> 20} MiB, not an index file"
        else:
            return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        fault = "is not a UTF-8 text file"
    except OSError as error:
        fault = f"cannot be read ({error.strerror})"
    problems.append(Problem(name, f"{path}: {fault}"))
    return None
