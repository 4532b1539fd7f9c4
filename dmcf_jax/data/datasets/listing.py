"""What the user's download of a data set holds: the records of each split, and what is wrong."""

import dataclasses
from collections import Counter
from typing import NamedTuple

from dmcf_jax import modality
from dmcf_jax.errors import Problem


class Record(NamedTuple):
    """One image: `path` relative to the root with '/', pid, camera number, modality 0 or 1."""

    path: str
    identity: int
    camera: int
    modality: int


# What is stored of every image beside its pixels, in this order.
FIELDS = Record._fields


@dataclasses.dataclass
class Listing:
    """What one tree holds.

    Attributes:
        splits: records by split, sorted by path.
        problems: make the tree unusable.
        mismatches: differences from the published data set, which `--unofficial` accepts.
        notes: only printed.
    """

    splits: dict[str, list[Record]] = dataclasses.field(default_factory=dict)
    problems: list[Problem] = dataclasses.field(default_factory=list)
    mismatches: list[Problem] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)

    def paths(self) -> list[str]:
        """Return the relative path of every image in any split, once, sorted."""
        return sorted({record.path for records in self.splits.values() for record in records})

    def identities(self, split: str) -> set[int]:
        """Return the identities of a split, none where it is missing."""
        return {record.identity for record in self.splits.get(split, ())}

    def add_split(self, name: str, records: list[Record]) -> None:
        """Keep the records of a split, sorted by path: the order they are stored in."""
        self.splits[name] = sorted(records)
        there = {record.modality for record in records}
        if not there:
            self.problems.append(problem(f"split '{name}'", "has no image", " "))
        elif len(there) < len(modality.MODALITIES):
            missing = modality.MODALITIES[1 - there.pop()]
            self.notes.append(
                f"split '{name}' has no {missing} images: training and the protocols between the "
                "modalities need both"
            )


def problem(about: str, text: str, separator: str = ": ") -> Problem:
    """Return the problem that reads 'about: text'."""
    return Problem(about, f"{about}{separator}{text}")


def count(records: list[Record]) -> dict[str, object]:
    """Return the size of a split: identities, images of each modality and of each camera."""
    cameras = Counter(record.camera for record in records)
    modalities = Counter(record.modality for record in records)
    return {
        "identities": len({record.identity for record in records}),
        "visible": modalities[modality.VISIBLE],
        "infrared": modalities[modality.INFRARED],
        "cameras": {str(camera): cameras[camera] for camera in sorted(cameras)},
    }
