"""Tiny trees of noise in the exact layouts of SYSU-MM01, RegDB and LLCM, for the data tests."""

from pathlib import Path

import numpy as np
from PIL import Image

SYSU_CAMERAS = {"train": (1, 2, 3, 4, 5, 6), "val": (3, 4, 5), "test": (1, 2, 3, 4, 5, 6)}


def noise(path: Path, seed: int, size: tuple[int, int] = (16, 8)) -> None:
    """Write an image of noise, (height, width), in the format of the path's ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    Image.fromarray(pixels).save(path)


def touch(path: Path) -> None:
    """Write an empty file, where only names matter."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


class NamesOnly:
    """Replaces reading the disk where a complete data set would be too many files.

    `write` remembers a name; `use` makes `data.datasets.image_folders` return all of them.
    """

    def __init__(self, root: Path):
        self.root = root
        self.folders: dict[str, set[str]] = {}
        self.files: dict[str, list[str]] = {}

    def write(self, path: Path) -> None:
        """Remember an image, and make its top-level folder for real."""
        parts = path.relative_to(self.root).parts
        (self.root / parts[0]).mkdir(parents=True, exist_ok=True)
        self.files.setdefault("/".join(parts[:-1]), []).append("/".join(parts))
        for depth in range(1, len(parts) - 1):
            self.folders.setdefault("/".join(parts[:depth]), set()).add(parts[depth])

    def use(self, monkeypatch) -> None:
        """Let `image_folders` return the remembered names."""
        folders, files, root = self.folders, self.files, self.root
        monkeypatch.setattr(
            "dmcf_jax.data.datasets.image_folders.subfolders",
            lambda path: sorted(folders.get(path.relative_to(root).as_posix(), ())),
        )
        monkeypatch.setattr(
            "dmcf_jax.data.datasets.image_folders.images",
            lambda root, folder, problems: sorted(files.get(folder, ())),
        )


def write_sysu_mm01(root: Path, ids: dict[str, list[int]] | None = None, images: int = 2) -> Path:
    """Write `images` JPEGs for each identity and each camera of its split."""
    ids = ids or {"train": [1, 2], "val": [334], "test": [6, 10]}
    for split, pids in ids.items():
        write_text(root / f"exp/{split}_id.txt", ",".join(map(str, pids)) + "\n")
        for pid in pids:
            for camera in SYSU_CAMERAS[split]:
                for n in range(1, images + 1):
                    noise(root / f"cam{camera}/{pid:04d}/{n:04d}.jpg", pid * 100 + camera * 10 + n)
    return root


def regdb_name(kind: str, pid: int, frame: int) -> str:
    """Return the relative path of a RegDB image; `kind` is 'visible' or 'thermal'."""
    return f"{kind.title()}/{pid}/male_back_{kind[0]}_{frame:05d}_{pid}.bmp"


def write_regdb(
    root: Path, ids: int = 4, images: int = 2, trials: tuple[int, ...] = (1, 2), write=noise
) -> Path:
    """Write `ids` identities, half of them to train on, the halves swapped in even trials."""
    for pid in range(1, ids + 1):
        for seed, kind in enumerate(("visible", "thermal")):
            for frame in range(images):
                arguments = (pid * 100 + seed * 50 + frame,) if write is noise else ()
                write(root / regdb_name(kind, pid, frame), *arguments)
    for trial in trials:
        halves = [list(range(ids // 2, 0, -1)), list(range(ids // 2 + 1, ids + 1))]
        write_regdb_lists(root, trial, *(halves if trial % 2 else halves[::-1]), images)
    return root


def write_regdb_lists(root: Path, trial: int, train: list[int], test: list[int], images: int):
    """Write the four index files of one trial, with CRLF endings as in circulation."""
    for split, pids in (("train", train), ("test", test)):
        for kind in ("visible", "thermal"):
            lines = [
                f"{regdb_name(kind, pid, frame)} {label}\r\n"
                for label, pid in enumerate(pids)
                for frame in range(images)
            ]
            write_text(root / f"idx/{split}_{kind}_{trial}.txt", "".join(lines))


def write_llcm(
    root: Path,
    train: dict[str, dict[int, int]] | None = None,
    test: dict[str, dict[int, int]] | None = None,
    write=noise,
) -> Path:
    """Write LLCM; `train` and `test` give images by kind ('vis', 'nir') and identity."""
    splits = {
        "train": train or {"vis": {3: 2, 1: 3}, "nir": {3: 2, 1: 1}},
        "test": test or {"vis": {0: 2, 7: 2}, "nir": {0: 2, 7: 2}},
    }
    for split, kinds in splits.items():
        for kind, pids in kinds.items():
            lines = []
            for label, (pid, images) in enumerate(pids.items()):
                for n in range(images):
                    camera = 1 + n % 2
                    name = f"{kind}/{pid:04d}/{pid:04d}_c{camera:02d}_s120000_f{n}_{kind}.jpg"
                    write(root / name, *((pid * 100 + n,) if write is noise else ()))
                    lines.append(f"{name} {label}\n")
            write_text(root / f"idx/{split}_{kind}.txt", "".join(lines))
    listed = ",".join(f"{pid:04d}" for pid in splits["test"]["vis"])
    write_text(root / "idx/test_id.txt", listed + "\n")
    return root


def write_text(path: Path, text: str) -> None:
    """Write text with its line endings as they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())


def edit(path: Path, old: str, new: str) -> None:
    """Replace the first `old` in a text file, which must be there."""
    text = path.read_bytes().decode()
    assert old in text
    path.write_bytes(text.replace(old, new, 1).encode())
