"""RegDB: {Visible,Thermal}/<pid>/*.bmp and idx/{train,test}_{visible,thermal}_<trial>.txt.

The ten trials are ten splits of the same 412 identities: 206 to train on and 206 to test on, ten
visible and ten thermal images each. A line is `relative/path label`; labels start at 0 in every
file, so the identity is the folder's pid.
"""

import re
from collections import Counter
from pathlib import Path

from dmcf_jax import modality
from dmcf_jax.data.datasets import image_folders
from dmcf_jax.data.datasets.dataset import Counts, Dataset
from dmcf_jax.data.datasets.index_files import (
    check_labels,
    compare_modalities,
    has_no_lists,
    note_missing,
    overlap,
    read_lines,
)
from dmcf_jax.data.datasets.listing import Listing, Record, problem
from dmcf_jax.errors import Problem

SPLITS = ("train", "test")
IDENTITIES = 206
IMAGES_PER_IDENTITY = 10
# list name, folder, modality, camera
KINDS = (
    ("visible", "Visible", modality.VISIBLE, 1),
    ("thermal", "Thermal", modality.INFRARED, 2),
)
OFFICIAL_NAME = r"(?:fe)?male_(?:front|back)_[vt]_[0-9]+_([0-9]+)\.[A-Za-z]+"
MOST_NAMED = 3  # identities that one message names


def inspect(root: Path, trials: tuple[int, ...]) -> dict[int, Listing]:
    """Return the splits `train` and `test` of each of the `trials`, 1 to 10."""
    existing, common = {}, []
    for _, folder, _, _ in KINDS:
        folders = [f"{folder}/{name}" for name in image_folders.subfolders(root / folder)]
        existing[folder] = image_folders.find_images(root, folders, r"[0-9]{1,9}", "12", common)
    listings = {trial: _inspect_trial(root, trial, existing) for trial in trials}
    # What is wrong with the images concerns all trials and is reported once.
    listings[trials[0]].problems[:0] = common
    return listings


def _inspect_trial(root: Path, trial: int, existing: dict[str, dict[str, None]]) -> Listing:
    listing, without = Listing(), []
    for split in SPLITS:
        if has_no_lists(root, [f"idx/{split}_{kind}_{trial}.txt" for kind, *_ in KINDS]):
            without.append(split)
            continue
        records, names, labels = [], [], []
        for kind, folder, number, camera in KINDS:
            name = f"idx/{split}_{kind}_{trial}.txt"
            lines = read_lines(root, name, existing[folder], listing.problems)
            names.append(name)
            labels.append(check_labels(name, lines, listing.problems))
            of_kind = [Record(line.path, line.identity, camera, number) for line in lines]
            listing.problems += _misplaced(of_kind)
            listing.mismatches += _compare_counts(name, of_kind)
            records += of_kind
        same = compare_modalities(listing, tuple(names), tuple(labels))
        if same and list(labels[0]) != list(labels[1]):
            fault = f"its identities are in another order than those of {names[0]}"
            listing.mismatches.append(problem(names[1], fault))
        if records:
            listing.add_split(split, records)
    there = [split for split in SPLITS if split not in without]
    note_missing(listing, without, there, f"idx/{{split}}_*_{trial}.txt")
    names = [f"idx/{split}_*_{trial}.txt" for split in SPLITS]
    listing.problems += overlap(names[0], names[1], *map(listing.identities, SPLITS))
    return listing


def _misplaced(records: list[Record]) -> list[Problem]:
    """Return the files whose own name holds another identity than their folder's."""
    problems = []
    for record in records:
        named = re.fullmatch(OFFICIAL_NAME, record.path.rsplit("/", 1)[1])
        if named and int(named[1]) != record.identity:
            problems.append(problem(record.path, f"the name holds identity {int(named[1])}"))
    return problems


def _compare_counts(name: str, records: list[Record]) -> list[Problem]:
    """Return the differences of one index file from 206 identities of ten images."""
    images = Counter(record.identity for record in records)
    if not records:
        return []
    mismatches = []
    if len(images) != IDENTITIES:
        fault = f"{len(images)} identities, expected {IDENTITIES}"
        mismatches.append(problem(name, fault))
    odd = [pid for pid in images if images[pid] != IMAGES_PER_IDENTITY]
    if odd:
        first = ", ".join(f"identity {pid} has {images[pid]}" for pid in odd[:MOST_NAMED])
        each = f"expected {IMAGES_PER_IDENTITY} of each identity"
        mismatches.append(problem(name, f"{len(records)} images, {each}; {first}"))
    return mismatches


_IMAGES = IDENTITIES * IMAGES_PER_IDENTITY
DATASET = Dataset(
    name="regdb",
    title="RegDB",
    description="RegDB (Nguyen et al., Sensors 2017): 412 people, ten visible and ten thermal "
    "images each.\n\nThe configs trial_1 .. trial_10 are ten splits into 206 identities to train "
    "on and 206 to test on.",
    landmarks=("Visible", "Thermal", "idx"),
    splits=SPLITS,
    train_splits=("train",),
    protocols=("regdb/visible-to-thermal", "regdb/thermal-to-visible"),
    inspect=inspect,
    trials=10,
    published=dict.fromkeys(SPLITS, Counts(IDENTITIES, _IMAGES, _IMAGES)),
)
