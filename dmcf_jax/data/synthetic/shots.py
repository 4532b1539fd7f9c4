"""Which pictures of synthetic people a data set holds: file names, frames, cameras and splits.

Pictures are only listed here; `writing` renders them.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from dmcf_jax.data.synthetic.parts import Stream, numbered_generator
from dmcf_jax.data.synthetic.people import render
from dmcf_jax.data.synthetic.person import Person, sex_of

REGDB_BANDS = (("Visible", "v", "visible", 1), ("Thermal", "t", "thermal", 2))
_REGDB_FRONT_VIEWS = 156 / 412
_SYSU_SPECTRA = {camera: "visible" for camera in (1, 2, 4, 5)} | {
    camera: "near_infrared" for camera in (3, 6)
}
_SYSU_IDENTITIES = {"train": 296, "val": 99, "test": 96}
_SYSU_LOOSENESS = 2.1
_SYSU_INDOOR_TEST = 56 / 96
_SYSU_TRAIN_PLACES = ((1, 2, 3), (4, 5, 6), (1, 2, 3, 4, 5, 6))


class Shot(NamedTuple):
    """One picture to take.

    Attributes:
        name: path of its file in the tree.
        seed: number of the world.
        identity: number of the person.
        spectrum: see `people.render`; likewise `frame`, `camera`, `view` and `looseness`.
    """

    name: str
    seed: int
    identity: int
    spectrum: str
    frame: int
    camera: int
    view: str
    looseness: float = 1.0

    def take(self, person: Person) -> UInt8[np.ndarray, "h w 3"]:
        """Return the picture of `person`, who is number `identity`, in the size of the tree."""
        return render(
            person,
            spectrum=self.spectrum,
            frame=self.frame,
            camera=self.camera,
            view=self.view,
            looseness=self.looseness,
        )


def regdb_shots(seed: int, identity: int, images: int) -> dict[str, list[Shot]]:
    """Return one person's shots for RegDB's layout by band, in the order of frames.

    Both bands have the same frame numbers, and everyone is seen from the front or from the back.

    Args:
        seed: number of the world.
        identity: number of the person, from 1.
        images: how many pictures in each band.
    """
    draw = numbered_generator(Stream.TREE, seed, identity)
    view = "front" if draw.random() < _REGDB_FRONT_VIEWS else "back"
    frames = (draw.integers(1, 50_000) + np.cumsum(draw.integers(1, 40, images))).tolist()
    sex = sex_of(seed, identity)
    shots = {}
    for folder, letter, spectrum, camera in REGDB_BANDS:
        stem = f"{folder}/{identity}/{sex}_{view}_{letter}"
        shots[folder] = [
            Shot(f"{stem}_{frame:05d}_{identity}.bmp", seed, identity, spectrum, frame, camera,
                 view)
            for frame in frames
        ]  # fmt: skip
    return shots


def regdb_halves(seed: int, identities: int, trial: int) -> dict[str, list[int]]:
    """Return who is in 'train' and in 'test' of a trial (from 1), in the order of labels."""
    draw = numbered_generator(Stream.SPLITS, seed, trial)
    order = draw.permutation(np.arange(1, identities + 1)).tolist()
    return {"train": order[: identities // 2], "test": order[identities // 2 :]}


def sysu_shots(seed: int, identity: int, camera: int, images: int) -> list[Shot]:
    """Return one person's shots in one camera of SYSU-MM01's layout.

    Args:
        seed: number of the world.
        identity: number of the person, from 1.
        camera: 1 to 6; 3 and 6 see near infrared.
        images: how many pictures.
    """
    folder, spectrum = f"cam{camera}/{identity:04d}", _SYSU_SPECTRA[camera]
    # A frame number of its own for every camera: nothing is synchronised in SYSU-MM01.
    return [
        Shot(f"{folder}/{number:04d}.jpg", seed, identity, spectrum, 100_000 * camera + number,
             camera, "any", _SYSU_LOOSENESS)
        for number in range(1, images + 1)
    ]  # fmt: skip


def sysu_splits(identities: int, seed: int) -> dict[str, list[int]]:
    """Return the ascending numbers of the people in 'train', 'val' and 'test', as 296 : 99 : 96.

    The training split takes what rounding leaves.
    """
    total = sum(_SYSU_IDENTITIES.values())
    val = max(1, round(identities * _SYSU_IDENTITIES["val"] / total))
    test = max(1, round(identities * _SYSU_IDENTITIES["test"] / total))
    order = numbered_generator(Stream.SPLITS, seed, 0).permutation(identities) + 1
    parts = np.split(order, [identities - val - test, identities - test])
    return {
        split: sorted(pids.tolist()) for split, pids in zip(_SYSU_IDENTITIES, parts, strict=True)
    }


def sysu_cameras(splits: dict[str, list[int]], seed: int) -> dict[int, Sequence[int]]:
    """Return which cameras saw each person.

    Args:
        splits: who is in which split.
        seed: number of the world.
    """
    draw = numbered_generator(Stream.TREE, seed, 0)
    indoor = max(1, round(len(splits["test"]) * _SYSU_INDOOR_TEST))
    indoors_too = set(draw.permutation(splits["test"])[:indoor].tolist())
    cameras: dict[int, Sequence[int]] = {pid: (3, 4, 5) for pid in splits["val"]}
    for pid in splits["train"]:
        cameras[pid] = _SYSU_TRAIN_PLACES[draw.integers(len(_SYSU_TRAIN_PLACES))]
    for pid in splits["test"]:
        cameras[pid] = (1, 2, 3, 4, 5, 6) if pid in indoors_too else (3, 4, 5, 6)
    return cameras
