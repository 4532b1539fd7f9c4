"""LLCM: vis/, nir/, test_vis/, test_nir/ and idx/{train,test}_{vis,nir}.txt.

A line is `relative/path label`. The identity is the folder's pid (0000 is one), the camera is
the `_c03` of the file's name: 1 to 9, of which 3 has no near-infrared images.
"""

import re
from pathlib import Path

from dmcf_jax import modality
from dmcf_jax.data.datasets import image_folders
from dmcf_jax.data.datasets.dataset import Counts, Dataset
from dmcf_jax.data.datasets.index_files import (
    MOST_NAMED,
    Line,
    check_labels,
    compare_modalities,
    has_no_lists,
    note_missing,
    overlap,
    read_identities,
    read_lines,
)
from dmcf_jax.data.datasets.listing import Listing, Record, problem

SPLITS = ("train", "test")
KINDS = (("vis", modality.VISIBLE), ("nir", modality.INFRARED))
PUBLISHED = {"train": Counts(713, 16946, 13975), "test": Counts(351, 8680, 7166)}
TEST_IDENTITIES = "idx/test_id.txt"  # not in every copy of the data set


def inspect(root: Path) -> Listing:
    """Return the splits `train` (713 identities) and `test` (351) of a tree."""
    listing, without = Listing(), []
    existing = {kind: _find_images(root, kind, listing) for kind, _ in KINDS}
    for split in SPLITS:
        if has_no_lists(root, [f"idx/{split}_{kind}.txt" for kind, _ in KINDS]):
            without.append(split)
            continue
        records, names, labels = [], [], []
        for kind, number in KINDS:
            name = f"idx/{split}_{kind}.txt"
            lines = read_lines(root, name, existing[kind], listing.problems)
            names.append(name)
            labels.append(check_labels(name, lines, listing.problems))
            records += _records(lines, number, listing)
            expected = PUBLISHED[split][1 + number]
            if lines and len(lines) != expected:
                fault = f"{len(lines)} images, expected {expected}"
                listing.mismatches.append(problem(name, fault))
        compare_modalities(listing, tuple(names), tuple(labels))
        if records:
            listing.add_split(split, records)
    there = [split for split in SPLITS if split not in without]
    note_missing(listing, without, there, "idx/{split}_*.txt")
    _compare_identities(root, listing)
    return listing


def _find_images(root: Path, kind: str, listing: Listing) -> dict[str, None]:
    """Return all images of one modality: <kind>/<pid>/* and test_<kind>/cam<n>/<pid>/*."""
    folders = [f"{kind}/{pid}" for pid in image_folders.subfolders(root / kind)]
    for camera in image_folders.subfolders(root / f"test_{kind}"):
        inner = image_folders.subfolders(root / f"test_{kind}" / camera)
        folders += [f"test_{kind}/{camera}/{pid}" for pid in inner]
    return image_folders.find_images(root, folders, r"[0-9]{4}", "0012", listing.problems)


def _records(lines: list[Line], kind: int, listing: Listing) -> list[Record]:
    records = []
    for line in lines:
        camera = re.search(r"_c([0-9]{2})(?:_|\.)", line.path.rsplit("/", 1)[1])
        if camera:
            records.append(Record(line.path, line.identity, int(camera[1]), kind))
        else:
            listing.problems.append(problem(line.path, "the name holds no camera such as _c03_"))
    return records


def _compare_identities(root: Path, listing: Listing) -> None:
    train, test = (listing.identities(split) for split in SPLITS)
    listing.problems += overlap("idx/train_*.txt", "idx/test_*.txt", train, test)
    for split in listing.splits:
        count, expected = len(listing.identities(split)), PUBLISHED[split].identities
        if count != expected:
            fault = f"{count} identities, expected {expected}"
            listing.mismatches.append(problem(split, fault))
    if test and (root / TEST_IDENTITIES).exists():
        listed = set(read_identities(root, TEST_IDENTITIES, listing.problems))
        for pid in sorted(listed ^ test)[:MOST_NAMED]:
            only = TEST_IDENTITIES if pid in listed else "idx/test_vis.txt, idx/test_nir.txt"
            fault = f"identity {pid:04d} is only in {only}"
            listing.mismatches.append(problem(TEST_IDENTITIES, fault))


DATASET = Dataset(
    name="llcm",
    title="LLCM",
    description="LLCM (Zhang and Wang, CVPR 2023): 1,064 people in nine low-light cameras, visible "
    "and near infrared.\n\nSplits `train` (713 identities) and `test` (351).",
    landmarks=("vis", "nir", "idx"),
    splits=SPLITS,
    train_splits=("train",),
    protocols=("llcm/infrared-to-visible", "llcm/visible-to-infrared"),
    inspect=inspect,
    published=PUBLISHED,
)
