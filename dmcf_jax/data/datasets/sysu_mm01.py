"""SYSU-MM01: cam1..cam6/<pid:%04d>/<n:%04d>.jpg and exp/{train,val,test}_id.txt."""

import re
from pathlib import Path

from dmcf_jax import modality
from dmcf_jax.data.datasets import image_folders
from dmcf_jax.data.datasets.dataset import Counts, Dataset
from dmcf_jax.data.datasets.index_files import (
    has_no_lists,
    note_missing,
    overlap,
    read_identities,
)
from dmcf_jax.data.datasets.listing import Listing, Record, problem

SPLITS = ("train", "val", "test")
CAMERAS = tuple(range(1, 7))
INFRARED_CAMERAS = (3, 6)
# Published counts (Wu et al., ICCV 2017; per camera from the official rand_perm_cam.mat).
IDENTITIES = {"train": 296, "val": 99, "test": 96}
IMAGES = {
    "train": (4721, 5753, 5929, 4821, 4989, 4000),
    "val": (0, 0, 1980, 990, 984, 0),
    "test": (1374, 1565, 1883, 1918, 1918, 1920),
}
MOST_NAMED = 3  # files that one message names


def inspect(root: Path) -> Listing:
    """Return the splits `train` (296 identities), `val` (99) and `test` (96) of a tree."""
    listing = Listing()
    names = {split: f"exp/{split}_id.txt" for split in SPLITS}
    without = [split for split in SPLITS if has_no_lists(root, [names[split]])]
    there = [split for split in SPLITS if split not in without]
    ids = dict.fromkeys(SPLITS, []) | {
        split: read_identities(root, names[split], listing.problems) for split in there
    }
    note_missing(listing, without, there, "exp/{split}_id.txt")
    for a, b in (("train", "val"), ("train", "test"), ("val", "test")):
        listing.problems += overlap(names[a], names[b], ids[a], ids[b])
    images = _images_by_identity(root, listing)
    for split in SPLITS:
        if ids[split]:
            absent = [pid for pid in ids[split] if pid not in images]
            listing.problems += [
                problem(names[split], f"identity {pid:04d} has no image in any camera")
                for pid in absent
            ]
            listing.add_split(split, [r for pid in ids[split] for r in images.get(pid, [])])
    _note_unused(listing, images, set().union(*ids.values()))
    _compare_counts(listing, ids)
    return listing


def _images_by_identity(root: Path, listing: Listing) -> dict[int, list[Record]]:
    images: dict[int, list[Record]] = {}
    for camera in CAMERAS:
        kind = modality.INFRARED if camera in INFRARED_CAMERAS else modality.VISIBLE
        pids = image_folders.subfolders(root / f"cam{camera}")
        folders = [f"cam{camera}/{pid}" for pid in pids]
        for path in image_folders.find_images(root, folders, r"[0-9]{4}", "0001", listing.problems):
            pid = int(path.split("/")[1])
            images.setdefault(pid, []).append(Record(path, pid, camera, kind))
    return images


def _note_unused(listing: Listing, images: dict[int, list[Record]], used: set[int]) -> None:
    unused = [pid for pid in images if pid not in used]
    if unused:
        total = sum(len(images[pid]) for pid in unused)
        listing.notes.append(
            f"{total} images of {len(unused)} identities are in no list of exp/ and stay unused"
        )


def _compare_counts(listing: Listing, ids: dict[str, list[int]]) -> None:
    """Add a mismatch for every published number that is not met, with what looks suspicious."""
    for split, records in listing.splits.items():
        if len(ids[split]) != IDENTITIES[split]:
            name = f"exp/{split}_id.txt"
            fault = f"lists {len(ids[split])} identities, expected {IDENTITIES[split]}"
            listing.mismatches.append(problem(name, fault, " "))
        for camera, expected in zip(CAMERAS, IMAGES[split], strict=True):
            of_camera = [record for record in records if record.camera == camera]
            if len(of_camera) != expected:
                fault = f"cam{camera} holds {len(of_camera)} images, expected {expected}"
                listing.mismatches.append(problem(split, fault + _suspects(of_camera)))


def _suspects(records: list[Record]) -> str:
    """Name the first files that are out of the numbering 0001.jpg, 0002.jpg, ..."""
    odd, expected, folder = [], 1, None
    for record in records:
        parent, name = record.path.rsplit("/", 1)
        expected = expected + 1 if parent == folder else 1
        folder = parent
        if not (number := re.fullmatch(r"([0-9]{4})\.jpg", name)):
            odd.append(f"{record.path} is not named like 0001.jpg")
        elif int(number[1]) != expected:
            odd.append(f"{parent}/{expected:04d}.jpg is missing")
            expected = int(number[1])
    return f" ({'; '.join(odd[:MOST_NAMED])})" if odd else ""


def _published(split: str) -> Counts:
    infrared = sum(IMAGES[split][camera - 1] for camera in INFRARED_CAMERAS)
    return Counts(IDENTITIES[split], sum(IMAGES[split]) - infrared, infrared)


DATASET = Dataset(
    name="sysu_mm01",
    title="SYSU-MM01",
    description="SYSU-MM01 (Wu et al., ICCV 2017): 491 people in four visible and two "
    "near-infrared cameras.\n\nSplits `train` (296 identities), `val` (99) and `test` (96); "
    "published results are trained on train+val.",
    landmarks=(*(f"cam{camera}" for camera in CAMERAS), "exp"),
    splits=SPLITS,
    train_splits=("train", "val"),
    protocols=(
        "sysu_mm01/all/single/python-seeded",
        "sysu_mm01/indoor/single/python-seeded",
    ),
    inspect=inspect,
    published={split: _published(split) for split in SPLITS},
)
