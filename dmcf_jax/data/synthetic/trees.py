"""Made-up people on disk, in the layouts of RegDB and of SYSU-MM01.

The trees are what a user's download would be: the real builders read them, told that the counts
are not the official ones. A tree appears whole or not at all.
"""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from dmcf_jax.data.synthetic.parts import Stream, numbered_generator
from dmcf_jax.data.synthetic.people import make_person, render
from dmcf_jax.data.synthetic.person import Person
from dmcf_jax.errors import UserError

Progress = Callable[[int, int], None]

_REGDB_BANDS = (("Visible", "v", "visible", 1), ("Thermal", "t", "thermal", 2))
_REGDB_FRONT_VIEWS = 156 / 412
_SYSU_SPECTRA = {camera: "visible" for camera in (1, 2, 4, 5)} | {
    camera: "near_infrared" for camera in (3, 6)
}
_SYSU_IDENTITIES = {"train": 296, "val": 99, "test": 96}
_SYSU_INDOOR_TEST = 56 / 96
_SYSU_TRAIN_PLACES = ((1, 2, 3), (4, 5, 6), (1, 2, 3, 4, 5, 6))


def write_regdb_tree(
    root: str | os.PathLike,
    *,
    identities: int,
    seed: int,
    images_per_identity: int = 10,
    trials: int = 10,
    progress: Progress | None = None,
) -> None:
    """Write `identities` made-up people to `root` in RegDB's layout, visible and thermal.

    People are 1..`identities`; each is seen from one side, with `images_per_identity` pairs of
    pictures at equal frame numbers. `idx` holds `trials` random halvings of the identities (an
    odd one goes to the test half). `progress(done, total)` counts pictures. The same numbers
    give the same bytes. Raises `UserError` for impossible numbers and where `root` is taken.
    """
    _refuse(
        root, seed=(seed, 0), identities=(identities, 2),
        images_per_identity=(images_per_identity, 1), trials=(trials, 1),
    )  # fmt: skip
    tell = _counter(progress, 2 * identities * images_per_identity)
    with _whole_tree(Path(root)) as tree:
        names = {
            pid: _write_regdb_person(tree, make_person(seed, pid), images_per_identity, tell)
            for pid in range(1, identities + 1)
        }
        _write_regdb_lists(tree / "idx", names, seed, trials)


def write_sysu_mm01_tree(
    root: str | os.PathLike,
    *,
    identities: int,
    seed: int,
    images_per_camera: int = 12,
    progress: Progress | None = None,
) -> None:
    """Write `identities` made-up people to `root` in SYSU-MM01's layout, visible and near infrared.

    The identities fall into train, val and test as 296 : 99 : 96. Everyone has
    `images_per_camera` pictures in each camera that saw them: validation people in cameras 3, 4
    and 5, test people in 3 to 6 and 56 of 96 of them in 1 and 2 too, training people indoors,
    outdoors or in both. `progress(done, total)` counts pictures. The same numbers give the same
    bytes. Raises `UserError` for impossible numbers and where `root` is taken.
    """
    _refuse(
        root, seed=(seed, 0), identities=(identities, 5), images_per_camera=(images_per_camera, 1)
    )
    splits = _sysu_splits(identities, seed)
    cameras = _sysu_cameras(splits, seed)
    tell = _counter(progress, images_per_camera * sum(map(len, cameras.values())))
    with _whole_tree(Path(root)) as tree:
        for pid in sorted(cameras):
            for camera in cameras[pid]:
                _write_sysu_track(tree, make_person(seed, pid), camera, images_per_camera, tell)
        _write_sysu_lists(tree / "exp", splits)


def _refuse(root: str | os.PathLike, **numbers: tuple[int, int]) -> None:
    problems = [
        f"{name} is {value}, expected a whole number of at least {least}"
        for name, (value, least) in numbers.items()
        if value < least
    ]
    path = Path(root)
    if path.is_file() or (path.is_dir() and any(path.iterdir())):
        problems.append(f"{path} exists already and is not empty, expected a new directory")
    if problems:
        raise UserError.listing("the made-up tree cannot be written:", problems)


@contextlib.contextmanager
def _whole_tree(root: Path) -> Iterator[Path]:
    """Give a sibling of `root` to write into; it becomes `root` at the end, or goes."""
    tree = root.with_name(root.name + ".incomplete")
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    try:
        yield tree
        os.replace(tree, root)
    finally:
        shutil.rmtree(tree, ignore_errors=True)


def _counter(progress: Progress | None, total: int) -> Callable[[], None]:
    done = 0

    def tell() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    return tell


def _write_regdb_person(
    tree: Path, person: Person, images: int, tell: Callable[[], None]
) -> dict[str, list[str]]:
    """Write one person's pictures; return their relative paths by band, in frame order."""
    draw = numbered_generator(Stream.TREE, person.seed, person.identity)
    view = "front" if draw.random() < _REGDB_FRONT_VIEWS else "back"
    frames = draw.integers(1, 50_000) + np.cumsum(draw.integers(1, 40, images))
    names = {}
    for folder, letter, spectrum, camera in _REGDB_BANDS:
        (tree / folder / str(person.identity)).mkdir(parents=True)
        stem = f"{folder}/{person.identity}/{person.sex}_{view}_{letter}"
        names[folder] = [f"{stem}_{frame:05d}_{person.identity}.bmp" for frame in frames]
        for frame, name in zip(frames, names[folder], strict=True):
            pixels = render(person, spectrum=spectrum, frame=int(frame), camera=camera, view=view)
            Image.fromarray(pixels).save(tree / name)
            tell()
    return names


def _write_regdb_lists(
    folder: Path, names: dict[int, dict[str, list[str]]], seed: int, trials: int
) -> None:
    folder.mkdir()
    for trial in range(1, trials + 1):
        order = numbered_generator(Stream.SPLITS, seed, trial).permutation(sorted(names)).tolist()
        halves = {"train": order[: len(order) // 2], "test": order[len(order) // 2 :]}
        for split, pids in halves.items():
            for band in ("Visible", "Thermal"):
                lines = [f"{name} {label}\r\n" for label, pid in enumerate(pids)
                         for name in names[pid][band]]  # fmt: skip
                file = folder / f"{split}_{band.lower()}_{trial}.txt"
                file.write_bytes("".join(lines).encode())


def _sysu_splits(identities: int, seed: int) -> dict[str, list[int]]:
    """Return the ascending pids of each split; the largest share takes what rounding leaves."""
    total = sum(_SYSU_IDENTITIES.values())
    val = max(1, round(identities * _SYSU_IDENTITIES["val"] / total))
    test = max(1, round(identities * _SYSU_IDENTITIES["test"] / total))
    order = numbered_generator(Stream.SPLITS, seed, 0).permutation(identities) + 1
    parts = np.split(order, [identities - val - test, identities - test])
    return {
        split: sorted(pids.tolist()) for split, pids in zip(_SYSU_IDENTITIES, parts, strict=True)
    }


def _sysu_cameras(splits: dict[str, list[int]], seed: int) -> dict[int, Sequence[int]]:
    """Return which cameras saw each person."""
    draw = numbered_generator(Stream.TREE, seed, 0)
    indoor = max(1, round(len(splits["test"]) * _SYSU_INDOOR_TEST))
    indoors_too = set(draw.permutation(splits["test"])[:indoor].tolist())
    cameras: dict[int, Sequence[int]] = {pid: (3, 4, 5) for pid in splits["val"]}
    for pid in splits["train"]:
        cameras[pid] = _SYSU_TRAIN_PLACES[draw.integers(len(_SYSU_TRAIN_PLACES))]
    for pid in splits["test"]:
        cameras[pid] = (1, 2, 3, 4, 5, 6) if pid in indoors_too else (3, 4, 5, 6)
    return cameras


def _write_sysu_track(
    tree: Path, person: Person, camera: int, images: int, tell: Callable[[], None]
) -> None:
    folder = tree / f"cam{camera}" / f"{person.identity:04d}"
    folder.mkdir(parents=True)
    draw = numbered_generator(Stream.TREE, person.seed, person.identity, camera)
    for number in range(1, images + 1):
        # A frame number of its own for every camera: nothing is synchronised in SYSU-MM01.
        frame, view = 100_000 * camera + number, str(draw.choice(["front", "back"]))
        pixels = render(
            person, spectrum=_SYSU_SPECTRA[camera], frame=frame, camera=camera, view=view
        )
        Image.fromarray(pixels).save(folder / f"{number:04d}.jpg", quality=92)
        tell()


def _write_sysu_lists(folder: Path, splits: dict[str, list[int]]) -> None:
    folder.mkdir()
    lists = splits | {"available": sorted(pid for pids in splits.values() for pid in pids)}
    for name, pids in lists.items():
        (folder / f"{name}_id.txt").write_bytes((",".join(map(str, pids)) + "\n").encode())
