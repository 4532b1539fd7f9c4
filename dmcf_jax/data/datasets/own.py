"""A user's own pictures as splits of numbered records, with everything that is wrong at once."""

import dataclasses
import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from dmcf_jax import modality
from dmcf_jax.data.datasets import own_table
from dmcf_jax.data.datasets.listing import Listing, Record
from dmcf_jax.data.datasets.own_table import OwnRow

LARGEST_NUMBER = 10**9


@dataclasses.dataclass
class OwnData:
    """What a source holds: its splits, and the names that the numbers in its records stand for."""

    listing: Listing
    identities: dict[int, str]
    cameras: dict[int, str]

    def digest(self) -> str:
        """Return the SHA-256 of all records by split: the same list of pictures, split alike."""
        text = "\n".join(
            f"{split} {record}"
            for split, records in sorted(self.listing.splits.items())
            for record in records
        )
        return hashlib.sha256(text.encode()).hexdigest()


def inspect(source: str | Path, split_by_identity: float | None = None, seed: int = 0) -> OwnData:
    """Return the pictures of a CSV file or a tree in the splits 'train' and 'test'.

    Args:
      split_by_identity: the share of identities to train on, 0 to 1, drawn by `seed`; None takes
        the column `split`.
      seed: of the draw; the same identities and seed give the same split.

    Raises:
      UserError: the source is neither a CSV file with a header nor a folder.
    """
    listing = Listing()
    rows = own_table.read_rows(source, listing.problems)
    if not rows and not listing.problems:
        listing.problems.append(_nothing_in(Path(source)))
    identities, cameras = (
        numbers(getattr(row, name) for row in rows if getattr(row, name))
        for name in ("identity", "camera")
    )
    splits = _given(rows, listing) if split_by_identity is None else None
    if split_by_identity is not None:
        splits = _drawn(rows, split_by_identity, seed, listing)
    _note_lonely(rows, listing)
    if not listing.problems:
        _fill(listing, rows, splits, identities, cameras)
    named_cameras = {number: name for name, number in cameras.items()}
    by_modality = {number: name for number, name in enumerate(modality.MODALITIES, 1)}
    return OwnData(
        listing, {n: name for name, n in identities.items()}, named_cameras or by_modality
    )


def numbers(names: Iterable[str]) -> dict[str, int]:
    """Return a number for each distinct name: its own where all are numbers, else its place.

    Places are those of the sorted names, so they depend on nothing but the names.
    """
    distinct = sorted(set(names))
    if all(name.isascii() and name.isdecimal() for name in distinct):
        own = {name: int(name) for name in distinct}
        if len(set(own.values())) == len(own) and max(own.values(), default=0) < LARGEST_NUMBER:
            return own
    return {name: place for place, name in enumerate(distinct)}


def _fill(listing, rows, splits, identities, cameras):
    for split in dict.fromkeys(name for name in own_table.SPLITS if name in splits):
        records = [
            Record(
                row.path,
                identities[row.identity],
                cameras[row.camera] if cameras else 1 + modality.MODALITIES.index(row.modality),
                modality.MODALITIES.index(row.modality),
            )
            for row, where in zip(rows, splits, strict=True)
            if where == split
        ]
        listing.add_split(split, records)


def _nothing_in(source: Path) -> str:
    if source.is_file():
        return f"{source}: no rows below the header"
    return (
        f"{source}: no images found; expected visible/<identity>/*.jpg and "
        "infrared/<identity>/*.jpg (JPEG, PNG or BMP)"
    )


def _given(rows: list[OwnRow], listing: Listing) -> list[str]:
    """Return each row's own split; an identity may be in one only."""
    if rows and not any(row.split for row in rows):
        listing.problems.append(
            "no split is given: add --split_by_identity=0.5 to train on half of the people and "
            "test on the others, or a column 'split' with train or test to a CSV file"
        )
        return []
    owners: dict[str, OwnRow] = {}
    for row in rows:
        first = owners.setdefault(row.identity, row)
        if not row.split:
            listing.problems.append(f"{row.place}: split is empty")
        elif row.split != first.split and first.split:
            listing.problems.append(
                f"{row.place}: identity '{row.identity}' is in {row.split}, but in {first.split} "
                f"in {first.place}"
            )
    return [row.split for row in rows]


def _drawn(rows: list[OwnRow], share: float, seed: int, listing: Listing) -> list[str]:
    if not 0 <= share <= 1:
        listing.problems.append(f"--split_by_identity={share}: expected a share from 0 to 1")
    if any(row.split for row in rows):
        listing.problems.append("the column 'split' is filled in: leave --split_by_identity out")
    names = sorted({row.identity for row in rows})
    order = np.random.default_rng(seed).permutation(len(names))
    training = {names[place] for place in order[: round(share * len(names))]}
    return ["train" if row.identity in training else "test" for row in rows]


def _note_lonely(rows: list[OwnRow], listing: Listing) -> None:
    seen = [{row.identity for row in rows if row.modality == kind} for kind in modality.MODALITIES]
    lonely = sorted(seen[0] ^ seen[1])
    if lonely:
        listing.notes.append(
            f"{len(lonely)} of {len(seen[0] | seen[1])} identities are seen in one modality only "
            f"({', '.join(lonely[:5])}{', ...' if len(lonely) > 5 else ''}): training leaves them "
            "out, evaluation counts them among the wrong answers"
        )
