"""The layout of RegDB: {Visible,Thermal}/<pid>/*.bmp and idx/{train,test}_{visible,thermal}_N.txt.

The ten trials are ten splits of the same 412 identities: 206 to train on and 206 to test on, ten
visible and ten thermal images each. A line is `relative/path label`; labels start at 0 in every
file, so the identity is the folder's pid.
"""

import re
from collections import Counter
from pathlib import Path

from dmcf_jax import modality
from dmcf_jax.data.datasets import listing as tree
from dmcf_jax.data.datasets.index_files import check_labels, overlap, read_lines
from dmcf_jax.data.datasets.listing import Listing, Record

TRIALS = tuple(range(1, 11))
SPLITS = ("train", "test")
IDENTITIES = 206
IMAGES_PER_IDENTITY = 10
# list name, folder, modality, camera
KINDS = (
    ("visible", "Visible", modality.VISIBLE, 1),
    ("thermal", "Thermal", modality.INFRARED, 2),
)
OFFICIAL_NAME = r"(?:fe)?male_(?:front|back)_[vt]_[0-9]+_([0-9]+)\.[A-Za-z]+"


def inspect(root: Path, trials: tuple[int, ...] = TRIALS) -> dict[int, Listing]:
    """Return the splits `train` and `test` of each of the `trials`, 1 to 10."""
    common = tree.missing_landmarks(root, "regdb")
    if common:  # every line of every list would point nowhere
        return {trials[0]: Listing(problems=common)}
    existing = {folder: _find_images(root, folder, common) for _, folder, _, _ in KINDS}
    listings = {trial: _inspect_trial(root, trial, existing) for trial in trials}
    listings[trials[0]].problems[:0] = common
    return listings


def _find_images(root: Path, folder: str, problems: list[str]) -> dict[str, None]:
    """Return the relative paths of all images under Visible or Thermal, as ordered keys."""
    found: dict[str, None] = {}
    for name in tree.subfolders(root / folder):
        if re.fullmatch(r"[0-9]{1,9}", name):
            found.update(dict.fromkeys(tree.images(root, f"{folder}/{name}", problems)))
        else:
            problems.append(f"{folder}/{tree.printable(name)}: expected a folder such as 12")
    return found


def _inspect_trial(root: Path, trial: int, existing: dict[str, dict[str, None]]) -> Listing:
    listing = Listing()
    for split in SPLITS:
        records, labels = [], []
        for kind, folder, number, camera in KINDS:
            name = f"idx/{split}_{kind}_{trial}.txt"
            lines = read_lines(root, name, existing[folder], listing.problems)
            pids = [int(line.path.split("/")[1]) for line in lines]
            labels.append(check_labels(name, lines, pids, listing.problems))
            paths = [line.path for line in lines]
            found = [Record(p, pid, camera, number) for p, pid in zip(paths, pids, strict=True)]
            listing.problems += _misplaced(found)
            listing.mismatches += _compare(name, found)
            records += found
        _compare_modalities(listing, split, trial, *labels)
        if records:
            listing.add_split(split, records)
    pids = {split: {r.identity for r in records} for split, records in listing.splits.items()}
    names = [f"idx/{split}_*_{trial}.txt" for split in SPLITS]
    listing.problems += overlap(*names, pids.get("train", ()), pids.get("test", ()))
    return listing


def _misplaced(records: list[Record]) -> list[str]:
    """Return the files whose own name tells another identity than their folder."""
    problems = []
    for record in records:
        named = re.fullmatch(OFFICIAL_NAME, record.path.rsplit("/", 1)[1])
        if named and int(named[1]) != record.identity:
            problems.append(f"{record.path}: the name says identity {int(named[1])}")
    return problems


def _compare_modalities(
    listing: Listing, split: str, trial: int, visible: dict[int, int], thermal: dict[int, int]
) -> None:
    """Identities must bear the same label in both lists, and should come in the same order."""
    title = f"trial {trial} {split}"
    for pid in sorted(visible.keys() & thermal.keys()):
        if visible[pid] != thermal[pid]:
            listing.problems.append(
                f"{title}: identity {pid} has label {visible[pid]} in the visible and "
                f"{thermal[pid]} in the thermal list"
            )
    lonely = sorted(visible.keys() ^ thermal.keys())
    if lonely and visible and thermal:
        shown = ", ".join(map(str, lonely[:10]))
        listing.mismatches.append(f"{title}: only one modality has the identities {shown}")
    elif visible and thermal and list(visible) != list(thermal):
        listing.mismatches.append(f"{title}: the two lists name the identities in other orders")


def _compare(name: str, records: list[Record]) -> list[str]:
    """Return the differences of one index file from 206 identities of ten images."""
    images = Counter(record.identity for record in records)
    if not records:
        return []
    mismatches = []
    if len(images) != IDENTITIES:
        mismatches.append(f"{name}: {len(images)} identities, expected {IDENTITIES}")
    odd = [pid for pid in images if images[pid] != IMAGES_PER_IDENTITY]
    if odd:
        first = ", ".join(f"identity {pid} has {images[pid]}" for pid in odd[:3])
        each = f"expected {IMAGES_PER_IDENTITY} of each identity"
        mismatches.append(f"{name}: {len(records)} images, {each}; {first}")
    return mismatches
