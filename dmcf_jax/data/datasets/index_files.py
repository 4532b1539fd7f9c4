"""The text files that say what belongs where: lists of identities, lists of `path label`."""

import re
from collections import Counter, defaultdict
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from dmcf_jax.data.datasets.listing import printable

LARGEST = 64 << 20


class Line(NamedTuple):
    """One usable line of an index file: its number (from 1), relative path and label."""

    number: int
    path: str
    label: int


def read_identities(root: Path, name: str, problems: list[str]) -> list[int]:
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
    problems += [f"{name}: '{printable(word)[:40]}' is not an identity number" for word in wrong]
    problems += [f"{name}: identity {pid} is listed more than once" for pid in repeated]
    if not words:
        problems.append(f"{name}: holds no identity; expected one line such as 1,2,4")
    return list(dict.fromkeys(identities))


def read_lines(root: Path, name: str, existing: Collection[str], problems: list[str]) -> list[Line]:
    """Return the usable lines of an index file of `relative/path label` lines.

    Args:
      root: root of the data set.
      name: the index file, relative to `root`.
      existing: relative paths of the images found; a path is only ever looked up in here, so
        that no line can make us open a file elsewhere.
      problems: receives a sentence for each line without a label, with a path that leaves the
        root, that points nowhere or that repeats another line.
    """
    text = _read(root, name, problems)
    if text is None:
        return []
    folded = {path.lower(): path for path in existing}
    lines: dict[str, Line] = {}
    for number, raw in enumerate(text.splitlines(), 1):
        if not raw.strip():
            continue
        path, _, label = raw.strip().rpartition(" ")
        path = path.strip()
        problem = _problem_of(path, label, raw.strip(), existing, folded)
        if not problem and path in lines:
            problem = f"repeats line {lines[path].number} ({path})"
        if problem:
            problems.append(f"{name} line {number}: {printable(problem)}")
        else:
            lines[path] = Line(number, path, int(label))
    if not lines and not text.strip():
        problems.append(f"{name}: is empty; expected lines such as 'folder/1/image.bmp 0'")
    return list(lines.values())


def _problem_of(
    path: str, label: str, raw: str, existing: Collection[str], folded: dict[str, str]
) -> str | None:
    if not re.fullmatch(r"[0-9]{1,9}", label):
        return f"has no label: '{raw[:120]}'; expected 'path label'"
    if path.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", path):
        return f"'{path[:120]}' is absolute; paths are relative to the data set's root"
    if ".." in re.split(r"[/\\]", path):
        return f"'{path[:120]}' leaves the data set's root"
    if path in existing:
        return None
    if near := folded.get(path.lower().replace("\\", "/")):
        return f"'{path[:120]}' does not exist, but '{near}' does: the names must be equal"
    return f"points to '{path[:120]}', which does not exist"


def check_labels(
    name: str, lines: list[Line], identities: list[int], problems: list[str]
) -> dict[int, int]:
    """Return the label of each identity; one label is one identity and the other way round."""
    labels, owners = defaultdict(set), defaultdict(set)
    for line, identity in zip(lines, identities, strict=True):
        labels[identity].add(line.label)
        owners[line.label].add(identity)
    for identity in (i for i in labels if len(labels[i]) > 1):
        problems.append(f"{name}: identity {identity} has the labels {sorted(labels[identity])}")
    for label in (j for j in owners if len(owners[j]) > 1):
        problems.append(f"{name}: label {label} is given to identities {sorted(owners[label])}")
    return {identity: min(found) for identity, found in labels.items()}


def overlap(first: str, second: str, a: Collection[int], b: Collection[int]) -> list[str]:
    """Return a problem for each identity that is in both of two splits."""
    return [f"identity {pid} is in both {first} and {second}" for pid in sorted(set(a) & set(b))]


def _read(root: Path, name: str, problems: list[str]) -> str | None:
    path = root / name
    try:
        if not path.is_file():
            problems.append(f"{path}: this file is missing; copy it from the data set's archive")
            return None
        if path.stat().st_size > LARGEST:
            problems.append(f"{path}: is larger than {LARGEST >> 20} MiB, not an index file")
            return None
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        problems.append(f"{path}: is not a UTF-8 text file")
    except OSError as error:
        problems.append(f"{path}: cannot be read ({error.strerror})")
    return None
