"""What the names of folders say of the pictures in them, in the layouts that circulate."""

import re
from collections.abc import Iterable
from pathlib import Path

from dmcf_jax.errors import Problem
from dmcf_jax.modality import MODALITIES

# In any case, also as test_nir or train_vis: RegDB, LLCM, HITSZ-VCM and people's own.
VISIBLE = ("visible", "vis", "rgb")
INFRARED = ("infrared", "thermal", "ir", "nir", "tir")
_NAMED = {name: MODALITIES[0] for name in VISIBLE} | {name: MODALITIES[1] for name in INFRARED}
_SYSU = {f"cam{n}": MODALITIES[int(n in (3, 6))] for n in range(1, 7)}
MOST_NAMED = 5
HIGHEST = 3  # folders above a picture: tracklet or camera, identity, modality


def modality_of(name: str) -> str | None:
    """Return the modality that a folder is named after, None for any other name."""
    return _NAMED.get(re.sub(r"^(train|test|val)[_-]", "", name.lower()))


def contradictions(root: Path, folders: Iterable[str], modality: str, flag: str) -> list[Problem]:
    """Return a problem for each folder whose name says another modality than `modality`.

    Args:
        root: the folder that was named by `flag`.
        folders: those below it that hold pictures.
        modality: of all pictures, as the user says.
        flag: for the message.
    """
    folders = list(folders)
    named = {"": modality_of(root.resolve().name)}
    named |= {folder: modality_of(folder.rsplit("/", 1)[-1]) for folder in folders}
    named |= {folder: _SYSU[folder.rsplit("/", 1)[-1]] for folder in _sysu_cameras(folders)}
    wrong = [folder for folder, says in named.items() if says not in (None, modality)]
    outermost = [f for f in wrong if not any(f.startswith(f"{o}/") for o in wrong if o != f)]
    right = [folder for folder, says in named.items() if folder and says == modality]
    cure = f"; give {flag}={root / _better(root, right[0])}" if right else ""
    return [
        Problem(str(root / folder), f"{root / folder} is not {modality} by its name{cure}")
        for folder in outermost[:MOST_NAMED]
    ]


def ancestor_contradiction(path: Path, modality: str, flag: str) -> Problem | None:
    """Return a problem where `path` lies below a folder of the other modality.

    Only where that folder has one of `modality` beside it, as in infrared/ann/c2/0.png: names of
    folders far above may mean something else.
    """
    for folder in list(path.absolute().parents)[:HIGHEST]:
        says = modality_of(folder.name)
        if says in (None, modality):
            continue
        try:
            beside = [modality_of(entry.name) for entry in folder.parent.iterdir()]
        except OSError:
            return None
        if modality in beside:
            text = f"{path} lies in {folder.name}/, which is not {modality} by its name"
            return Problem(flag, text)
    return None


def _better(root: Path, folder: str) -> Path:
    """Return `folder`, or the one above if that sorts its pictures by modality and identity."""
    above = Path(folder).parent
    sorted_there = folder.rsplit("/", 1)[-1] in MODALITIES and str(above) != "."
    return above if sorted_there else Path(folder)


def _sysu_cameras(folders: list[str]) -> list[str]:
    """Return cam1 .. cam6 where all lie side by side with identities of four digits in them."""
    cameras = {
        folder.rsplit("/", 1)[0]
        for folder in folders
        if re.fullmatch(r"(.*/)?cam[1-6]/[0-9]{4}", folder)
    }
    by_parent: dict[str, list[str]] = {}
    for camera in cameras:
        parent, _, _ = camera.rpartition("/")
        by_parent.setdefault(parent, []).append(camera)
    return sorted(camera for found in by_parent.values() if len(found) == 6 for camera in found)
