"""Which images make up a gallery: all of them, or a draw from each person's images in a camera.

Draws are pure functions of the metadata and the trial. A directory is one identity in one camera,
its images in the order of their paths, as in `sorted(os.listdir(...))` of the field's code.
"""

import dataclasses
import hashlib
import random
from collections.abc import Iterable
from typing import Protocol as Interface
from typing import runtime_checkable

import numpy as np
from jaxtyping import Int

from dmcf_jax import modality
from dmcf_jax.errors import Problem, UserError
from dmcf_jax.evaluation.permutations import CURE, Permutations


@runtime_checkable
class Metadata(Interface):
    """What evaluation reads of a test split: four arrays `[n]`; `ImageStore` has them."""

    @property
    def identity(self) -> np.ndarray:
        """Number of the person of each image."""
        ...

    @property
    def camera(self) -> np.ndarray:
        """Number of the camera of each image."""
        ...

    @property
    def modality(self) -> np.ndarray:
        """0 for a visible image, 1 for an infrared one."""
        ...

    @property
    def path(self) -> np.ndarray:
        """Path of each image, relative to the root of the data."""
        ...


@dataclasses.dataclass(frozen=True)
class Selection:
    """Images of one modality: of some cameras (None: any), all or a draw from each directory.

    draw: 'all'; 'python-seeded' (the field's `random.seed(trial)` recipe); 'official'
        (`rand_perm_cam.mat`).
    shots: images drawn from each directory, or all it has when it has fewer.
    """

    modality: int
    cameras: tuple[int, ...] | None = None
    draw: str = "all"
    shots: int | None = None

    def __str__(self) -> str:
        """Return which images these are, for messages."""
        what = f"{modality.MODALITIES[self.modality]} images"
        if self.cameras:
            what += f" of cameras {', '.join(map(str, self.cameras))}"
        if self.draw == "all":
            return what
        return f"{self.shots} of each identity's {what} in each camera ({self.draw})"


@dataclasses.dataclass(frozen=True)
class Directories:
    """Rows `[n]` in order of identity, camera, path, and where each directory starts."""

    rows: Int[np.ndarray, " n"]
    keys: list[tuple[int, int]]
    parts: list[np.ndarray]


def directories(metadata: Metadata, selection: Selection) -> Directories:
    """Return the directories that a selection is made from.

    Raises:
        UserError: the split has none of these images.
    """
    chosen = np.asarray(metadata.modality) == selection.modality
    if selection.cameras is not None:
        chosen &= np.isin(metadata.camera, selection.cameras)
    rows = np.flatnonzero(chosen)
    if len(rows) == 0:
        raise UserError(f"the protocol needs {selection}; the data have none", about="protocol")
    identity, camera = np.asarray(metadata.identity)[rows], np.asarray(metadata.camera)[rows]
    order = np.lexsort((np.asarray(metadata.path)[rows].astype(str), camera, identity))
    rows, identity, camera = rows[order], identity[order], camera[order]
    new = np.flatnonzero((np.diff(identity) != 0) | (np.diff(camera) != 0)) + 1
    keys = [(int(identity[at]), int(camera[at])) for at in (0, *new)]
    return Directories(rows, keys, np.split(rows, new))


def select(
    selection: Selection,
    available: Directories,
    trial: int,
    permutations: Permutations | None = None,
) -> Int[np.ndarray, " rows"]:
    """Return the rows of one trial: in order of identity, or of camera for 'official'.

    Raises:
        UserError: for 'official', no permutations or those of other data.
    """
    if selection.draw == "all":
        return available.rows
    if selection.draw == "python-seeded":
        return _draw_seeded(available, selection.shots, trial)
    return _draw_official(available, selection.shots, trial, permutations)


def _draw_seeded(available: Directories, shots: int | None, trial: int) -> Int[np.ndarray, " rows"]:
    # One private generator for a trial, and one call for each directory in order: any other order
    # of calls would draw other galleries than the field's.
    generator = random.Random(trial)
    assert shots is not None  # every selection that draws says how many
    drawn = []
    for rows in available.parts:
        if shots == 1:
            drawn.append(generator.choice(rows))
        else:
            drawn.extend(generator.sample(list(rows), min(shots, len(rows))))
    return np.array(drawn, dtype=np.int64)


def _draw_official(
    available: Directories, shots: int | None, trial: int, permutations: Permutations | None
) -> Int[np.ndarray, " rows"]:
    if permutations is None:
        raise UserError(
            f"the official protocols need rand_perm_cam.mat.\n{CURE}", about="permutations"
        )
    _check_counts(available, permutations)
    by_camera = sorted(
        zip(available.keys, available.parts, strict=True), key=lambda item: item[0][::-1]
    )
    drawn = []
    for (identity, camera), rows in by_camera:
        numbers = permutations.images(camera, identity)[trial]
        drawn.append(rows[numbers[:shots] - 1])
    return np.concatenate(drawn)


def _check_counts(available: Directories, permutations: Permutations) -> None:
    problems = []
    for (identity, camera), rows in zip(available.keys, available.parts, strict=True):
        listed = permutations.images(camera, identity).shape[1]
        if listed != len(rows):
            about = f"identity {identity}, camera {camera}"
            text = f"{about}: {len(rows)} images in the data, {listed} in the file"
            problems.append(Problem(about, text))
    if problems:
        raise UserError.listing(
            f"{permutations.path} does not belong to these data:",
            problems,
            "Extra or missing images change every draw; check the data, or use a python-seeded "
            "protocol.",
            at_most=10,
        )


def hash_paths(paths: Iterable[str]) -> str:
    """Return the SHA-256 of the newline-joined relative paths, in hexadecimal."""
    return hashlib.sha256("\n".join(map(str, paths)).encode()).hexdigest()
