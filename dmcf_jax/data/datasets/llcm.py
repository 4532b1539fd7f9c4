"""The layout of LLCM: vis/, nir/, test_vis/, test_nir/ and idx/{train,test}_{vis,nir}.txt.

A line is `relative/path label`. The identity is the folder's pid (0000 is one), the camera is
the `_c03` of the file's name: 1 to 9, of which 3 has no near-infrared images.
"""

import re
from pathlib import Path

from dmcf_jax import modality
from dmcf_jax.data.datasets import listing as tree
from dmcf_jax.data.datasets.index_files import check_labels, overlap, read_identities, read_lines
from dmcf_jax.data.datasets.listing import Listing, Record

SPLITS = ("train", "test")
KINDS = (("vis", modality.VISIBLE), ("nir", modality.INFRARED))
# Published counts: identities, images of each list.
IDENTITIES = {"train": 713, "test": 351}
IMAGES = {
    "idx/train_vis.txt": 16946,
    "idx/train_nir.txt": 13975,
    "idx/test_vis.txt": 8680,
    "idx/test_nir.txt": 7166,
}


def inspect(root: Path) -> Listing:
    """Return the splits `train` (713 identities) and `test` (351) of a tree."""
    listing = Listing(problems=tree.missing_landmarks(root, "llcm"))
    if listing.problems:  # every line of every list would point nowhere
        return listing
    existing = {kind: _find_images(root, kind, listing.problems) for kind, _ in KINDS}
    for split in SPLITS:
        records, labels = [], []
        for kind, number in KINDS:
            name = f"idx/{split}_{kind}.txt"
            found, label = _read_list(root, name, existing[kind], number, listing)
            labels.append(label)
            records += found
        _compare_modalities(listing, split, *labels)
        if records:
            listing.add_split(split, records)
    _compare_identities(root, listing)
    return listing


def _find_images(root: Path, kind: str, problems: list[str]) -> dict[str, None]:
    """Return all images of one modality: <kind>/<pid>/* and test_<kind>/cam<n>/<pid>/*."""
    folders = [f"{kind}/{pid}" for pid in tree.subfolders(root / kind)]
    for camera in tree.subfolders(root / f"test_{kind}"):
        inner = tree.subfolders(root / f"test_{kind}" / camera)
        folders += [f"test_{kind}/{camera}/{pid}" for pid in inner]
    found: dict[str, None] = {}
    for folder in folders:
        if re.fullmatch(r"[0-9]{4}", folder.rsplit("/", 1)[1]):
            found.update(dict.fromkeys(tree.images(root, folder, problems)))
        else:
            problems.append(f"{tree.printable(folder)}: expected a folder such as 0012")
    return found


def _read_list(
    root: Path, name: str, existing: dict[str, None], kind: int, listing: Listing
) -> tuple[list[Record], dict[int, int]]:
    lines = read_lines(root, name, existing, listing.problems)
    pids = [int(line.path.split("/")[-2]) for line in lines]
    labels = check_labels(name, lines, pids, listing.problems)
    records = []
    for line, pid in zip(lines, pids, strict=True):
        camera = re.search(r"_c([0-9]{2})(?:_|\.)", line.path.rsplit("/", 1)[1])
        if camera:
            records.append(Record(line.path, pid, int(camera[1]), kind))
        else:
            listing.problems.append(f"{line.path}: the name tells no camera such as _c03_")
    if lines and len(lines) != IMAGES[name]:
        listing.mismatches.append(f"{name}: {len(lines)} images, expected {IMAGES[name]}")
    return records, labels


def _compare_modalities(
    listing: Listing, split: str, visible: dict[int, int], infrared: dict[int, int]
) -> None:
    for pid in sorted(visible.keys() & infrared.keys()):
        if visible[pid] != infrared[pid]:
            listing.problems.append(
                f"{split}: identity {pid:04d} has label {visible[pid]} in idx/{split}_vis.txt and "
                f"{infrared[pid]} in idx/{split}_nir.txt"
            )
    lonely = sorted(visible.keys() ^ infrared.keys())
    if lonely and visible and infrared:
        shown = ", ".join(f"{pid:04d}" for pid in lonely[:10])
        listing.mismatches.append(f"{split}: only one modality has the identities {shown}")


def _compare_identities(root: Path, listing: Listing) -> None:
    ids = {split: {r.identity for r in records} for split, records in listing.splits.items()}
    listing.problems += overlap(
        "idx/train_*.txt", "idx/test_*.txt", ids.get("train", ()), ids.get("test", ())
    )
    for split, found in ids.items():
        if len(found) != IDENTITIES[split]:
            listing.mismatches.append(
                f"{split}: {len(found)} identities, expected {IDENTITIES[split]}"
            )
    if (root / "idx/test_id.txt").exists() and "test" in ids:
        listed = set(read_identities(root, "idx/test_id.txt", listing.problems))
        for pid in sorted(listed ^ ids["test"])[:10]:
            only = "idx/test_id.txt" if pid in listed else "idx/test_vis.txt, idx/test_nir.txt"
            listing.mismatches.append(f"test: identity {pid:04d} is only in {only}")
