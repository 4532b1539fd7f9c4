"""Synthetic people on disk, in the layouts of RegDB and of SYSU-MM01.

The trees are what a user's download would be: the real builders read them as data with unofficial
counts. A tree appears complete or not at all.
"""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from dmcf_jax.data.synthetic.shots import (
    REGDB_BANDS,
    Shot,
    regdb_halves,
    regdb_shots,
    sysu_cameras,
    sysu_shots,
    sysu_splits,
)
from dmcf_jax.data.synthetic.writing import write_shots
from dmcf_jax.errors import UserError

Progress = Callable[[int, int], None]


def write_regdb_tree(
    root: str | os.PathLike,
    *,
    identities: int,
    seed: int,
    images_per_identity: int = 10,
    trials: int = 10,
    progress: Progress | None = None,
) -> None:
    """Write synthetic people in RegDB's layout, visible and thermal.

    Each is seen from one side, in pairs of pictures at equal frame numbers. The same numbers
    give the same bytes.

    Args:
        root: the folder to make.
        identities: how many people; they are 1 to this number.
        seed: number of the world.
        images_per_identity: how many pictures of each in each band.
        trials: how many random halvings `idx` holds; an odd person goes to the test half.
        progress: called with pictures done and their total.

    Raises:
        UserError: a number is impossible, or `root` exists and is not empty.
    """
    _refuse(
        root, seed=(seed, 0), identities=(identities, 2),
        images_per_identity=(images_per_identity, 1), trials=(trials, 1),
    )  # fmt: skip
    shots = {pid: regdb_shots(seed, pid, images_per_identity) for pid in range(1, identities + 1)}
    with _complete_tree(Path(root)) as tree:
        every = [shot for own in shots.values() for band in own.values() for shot in band]
        write_shots(tree, every, _counter(progress, len(every)))
        (tree / "idx").mkdir()
        for trial in range(1, trials + 1):
            _write_regdb_lists(tree / "idx", shots, regdb_halves(seed, identities, trial), trial)


def write_sysu_mm01_tree(
    root: str | os.PathLike,
    *,
    identities: int,
    seed: int,
    images_per_camera: int = 12,
    progress: Progress | None = None,
) -> None:
    """Write synthetic people in SYSU-MM01's layout, visible and near infrared.

    They fall into train, val and test as 296 : 99 : 96. Validation people are in cameras 3, 4
    and 5, test people in 3 to 6 and 56 of 96 of them in 1 and 2 too, training people indoors,
    outdoors or in both. The same numbers give the same bytes.

    Args:
        root: the folder to make.
        identities: how many people, over all splits.
        seed: number of the world.
        images_per_camera: how many pictures of each in each camera that saw them.
        progress: called with pictures done and their total.

    Raises:
        UserError: a number is impossible, or `root` exists and is not empty.
    """
    _refuse(
        root, seed=(seed, 0), identities=(identities, 5), images_per_camera=(images_per_camera, 1)
    )
    splits = sysu_splits(identities, seed)
    cameras = sysu_cameras(splits, seed)
    with _complete_tree(Path(root)) as tree:
        every = [
            shot
            for pid in sorted(cameras)
            for camera in cameras[pid]
            for shot in sysu_shots(seed, pid, camera, images_per_camera)
        ]
        write_shots(tree, every, _counter(progress, len(every)))
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
        raise UserError.listing("the synthetic tree cannot be written:", problems)


@contextlib.contextmanager
def _complete_tree(root: Path) -> Iterator[Path]:
    """Yield a sibling of `root` to write into; it becomes `root` at the end, or is removed."""
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


def _write_regdb_lists(
    folder: Path, shots: dict[int, dict[str, list[Shot]]], halves: dict[str, list[int]], trial: int
) -> None:
    for split, pids in halves.items():
        for band, *_ in REGDB_BANDS:
            lines = [
                f"{shot.name} {label}\r\n"
                for label, pid in enumerate(pids)
                for shot in shots[pid][band]
            ]
            file = folder / f"{split}_{band.lower()}_{trial}.txt"
            file.write_bytes("".join(lines).encode())


def _write_sysu_lists(folder: Path, splits: dict[str, list[int]]) -> None:
    folder.mkdir()
    lists = splits | {"available": sorted(pid for pids in splits.values() for pid in pids)}
    for name, pids in lists.items():
        (folder / f"{name}_id.txt").write_bytes((",".join(map(str, pids)) + "\n").encode())
