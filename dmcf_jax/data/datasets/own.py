"""The user's own pictures as splits of numbered records, with everything that is wrong at once."""

import dataclasses
import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from dmcf_jax import modality
from dmcf_jax.data.datasets import own_table, own_tree
from dmcf_jax.data.datasets.dataset import Dataset
from dmcf_jax.data.datasets.listing import Listing, Record, problem
from dmcf_jax.data.datasets.own_table import SPLITS, OwnRow
from dmcf_jax.errors import Problem

LARGEST_NUMBER = 10**9
MOST_NAMED = 5  # identities that one message names


@dataclasses.dataclass
class OwnData:
    """What a source holds.

    Attributes:
        listing: its splits and problems.
        identities, cameras: the names that the numbers in its records stand for.
    """

    listing: Listing
    identities: dict[int, str]
    cameras: dict[int, str]

    def digest(self) -> str:
        """Return the SHA-256 of all records by split: equal for the same pictures and splits."""
        text = "\n".join(
            f"{split} {record}"
            for split, records in sorted(self.listing.splits.items())
            for record in records
        )
        return hashlib.sha256(text.encode()).hexdigest()


def inspect(
    source: str | Path,
    split_by_identity: float | None = None,
    seed: int = 0,
    pattern: str | None = None,
) -> OwnData:
    """Return the pictures of a CSV file or a tree in the splits 'train' and 'test'.

    Args:
        split_by_identity: the share of identities to train on, 0 to 1, drawn by `seed`; None takes
            the column `split`.
        seed: of the draw; the same identities and seed give the same split.
        pattern: the order of a tree's folders, see `own_tree.pattern_rows`.

    Raises:
        UserError: the source is neither a CSV file with a header nor a folder.
    """
    listing = Listing()
    rows = own_table.read_rows(source, listing.problems, notes=listing.notes, pattern=pattern)
    if not rows and not listing.problems:
        listing.problems.append(_nothing_in(Path(source)))
    identities, cameras = (
        numbers(getattr(row, name) for row in rows if getattr(row, name))
        for name in ("identity", "camera")
    )
    if split_by_identity is None:
        splits = _splits_of_rows(rows, listing)
    else:
        splits = _drawn_splits(rows, split_by_identity, seed, listing)
    _check_modalities(rows, listing)
    if not listing.problems:
        _add_records(listing, rows, splits, identities, cameras)
    named_cameras = {number: name for name, number in cameras.items()}
    by_modality = {number: name for number, name in enumerate(modality.MODALITIES, 1)}
    return OwnData(
        listing, {n: name for name, n in identities.items()}, named_cameras or by_modality
    )


def numbers(names: Iterable[str]) -> dict[str, int]:
    """Return a number for each distinct name: its own if all are numbers, else its position.

    Positions are those among the sorted names, so they depend on nothing but the names.
    """
    distinct = sorted(set(names))
    if all(name.isascii() and name.isdecimal() for name in distinct):
        own = {name: int(name) for name in distinct}
        if len(set(own.values())) == len(own) and max(own.values(), default=0) < LARGEST_NUMBER:
            return own
    return {name: position for position, name in enumerate(distinct)}


def _add_records(
    listing: Listing,
    rows: list[OwnRow],
    splits: list[str],
    identities: dict[str, int],
    cameras: dict[str, int],
) -> None:
    for name in SPLITS:
        if name not in splits:
            continue
        records = []
        for row, split in zip(rows, splits, strict=True):
            kind = modality.MODALITIES.index(row.modality)
            # Without cameras, each modality counts as one.
            camera = cameras[row.camera] if cameras else 1 + kind
            if split == name:
                records.append(Record(row.path, identities[row.identity], camera, kind))
        listing.add_split(name, records)


def _nothing_in(source: Path) -> Problem:
    if source.is_file():
        return problem(str(source), "no rows below the header")
    return own_tree.nothing_in(source)


def _splits_of_rows(rows: list[OwnRow], listing: Listing) -> list[str]:
    """Return each row's own split; an identity may be in one only."""
    if rows and not any(row.split for row in rows):
        text = (
            "no split is given: add --split_by_identity=0.5 to train on half of the people and "
            "test on the others, or a column 'split' with train or test to a CSV file"
        )
        listing.problems.append(Problem("--split_by_identity", text))
        return []
    owners: dict[str, OwnRow] = {}
    for row in rows:
        first = owners.setdefault(row.identity, row)
        if not row.split:
            listing.problems.append(problem(row.place, "split is empty"))
        elif row.split != first.split and first.split:
            fault = (
                f"identity '{row.identity}' is in {row.split}, but in {first.split} in "
                f"{first.place}"
            )
            listing.problems.append(problem(row.place, fault))
    return [row.split for row in rows]


def _drawn_splits(rows: list[OwnRow], share: float, seed: int, listing: Listing) -> list[str]:
    flag = "--split_by_identity"
    if not 0 <= share <= 1 or seed < 0:  # nan is neither
        if not 0 <= share <= 1:
            listing.problems.append(problem(flag, f"{share}: expected a share from 0 to 1", "="))
        if seed < 0:
            listing.problems.append(problem("--seed", f"{seed}: expected 0 or more", "="))
        return []
    if any(row.split for row in rows):
        text = f"the column 'split' is filled in: leave {flag} out"
        listing.problems.append(Problem(flag, text))
    names = sorted({row.identity for row in rows})
    order = np.random.default_rng(seed).permutation(len(names))
    training = {names[position] for position in order[: round(share * len(names))]}
    if names and share not in (0, 1) and len(training) in (0, len(names)):
        use = "train" if not training else "test"
        listing.notes.append(f"{flag}={share} of {len(names)} people leaves none to {use} on")
    return ["train" if row.identity in training else "test" for row in rows]


def _check_modalities(rows: list[OwnRow], listing: Listing) -> None:
    """Refuse people of whom nobody is seen in both modalities, and note those that are not."""
    seen = [{row.identity for row in rows if row.modality == kind} for kind in modality.MODALITIES]
    single = sorted((seen[0] ^ seen[1]) - {""})
    for names in _spellings(single):
        written = " and ".join(f"'{name}'" for name in names)
        listing.notes.append(f"the identities {written} count as different people")
    if single and not (seen[0] & seen[1]) and not listing.problems:
        text = (
            "nobody is seen in both modalities, which training and evaluation need: the same "
            "person must have the same identity in visible and in infrared pictures. Within one "
            "modality pictures can be tested: dmcf embed, then dmcf score --protocol=market1501"
        )
        listing.problems.append(Problem("identity", "; ".join([text, *listing.notes])))
    elif single:
        more = ", ..." if len(single) > MOST_NAMED else ""
        listing.notes.append(
            f"{len(single)} of {len(seen[0] | seen[1])} identities are seen in one modality only "
            f"({', '.join(single[:MOST_NAMED])}{more}): training leaves them out, evaluation "
            "counts them among the wrong answers"
        )


def _spellings(names: Iterable[str]) -> list[list[str]]:
    """Return the first groups of names that a spreadsheet may have made of one: 1, 1.0, 0001."""
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(re.sub(r"^0+(?=.)|\.0+$", "", name).casefold(), []).append(name)
    return [group for group in alike.values() if len(group) > 1][:MOST_NAMED]


DATASET = Dataset(
    name="own",
    title="your own data",
    description="A user's own visible and infrared pictures, listed in a CSV file or a folder "
    "tree.",
    landmarks=(),
    splits=SPLITS,
    train_splits=("train",),
    protocols=("plain/visible-to-infrared", "plain/infrared-to-visible"),
)
