"""The official gallery draws of SYSU-MM01: reading `rand_perm_cam.mat`.

The file holds `rand_perm_cam`, a 6 x 1 cell; cell{camera}{identity} is a 10 x n uint8 table, n the
number of that person's images in that camera. Row t is a permutation of 1..n; its first entries
are the images of trial t's gallery, counted from 1 in the order of file names.
"""

import dataclasses
import os

import numpy as np
import scipy.io
from jaxtyping import Int

from dmcf_jax.errors import Problem, UserError

CAMERAS = 6
TRIALS = 10
CURE = (
    "The official file is evaluation/data_split/rand_perm_cam.mat of the GitHub repository "
    "wuancong/SYSU-MM01: put it at exp/rand_perm_cam.mat in the data set's folder or give its "
    "path with --permutations. The python-seeded protocols need no file."
)


@dataclasses.dataclass(frozen=True)
class Permutations:
    """Tables of image numbers from 1, `[trials, images]`, by (camera, identity)."""

    path: str
    tables: dict[tuple[int, int], np.ndarray]

    def images(self, camera: int, identity: int) -> Int[np.ndarray, "trials images"]:
        """Return one person's table in one camera: with 0 columns if there is none."""
        return self.tables.get((camera, identity), np.zeros((TRIALS, 0), np.int64))


def find_permutations(source: str | None = None, path: str | None = None) -> Permutations:
    """Read the file at `path` or else at `<source>/exp/rand_perm_cam.mat`.

    Raises:
        UserError: there is no such file, or it is damaged; with where to get it.
    """
    if path is None and source:
        path = os.path.join(source, "exp", "rand_perm_cam.mat")
    if path and os.path.isfile(path):
        return read_permutations(path)
    reason = f"not found at {path}" if path else "no folder or file was given"
    raise UserError(
        f"the official protocols need rand_perm_cam.mat: {reason}.\n{CURE}", about="permutations"
    )


def read_permutations(path: str) -> Permutations:
    """Read and check a `rand_perm_cam.mat`.

    Raises:
        UserError: the file is damaged or another one; with everything that is wrong.
    """
    cells = _load(path)
    tables, problems = {}, []
    for camera, cell in enumerate(cells, start=1):
        for identity, table in enumerate(np.ravel(cell), start=1):
            if problem := _table_problem(table):
                about = f"camera {camera}, identity {identity}"
                problems.append(Problem(about, f"{about}: {problem}"))
            elif table.size:
                tables[camera, identity] = table.astype(np.int64)
    if not tables and not problems:
        problems = [Problem(str(path), "it has no permutation at all")]
    if problems:
        title = f"{path} is not the official permutation file:"
        raise UserError.listing(title, problems, CURE, at_most=10)
    return Permutations(str(path), tables)


def _load(path: str) -> np.ndarray:
    try:
        contents = scipy.io.loadmat(path)
    except Exception as error:  # a damaged file can make scipy raise almost anything
        raise UserError(
            f"{path} cannot be read as a MATLAB 5 file ({error}).\n{CURE}", about=str(path)
        ) from None
    cells = np.ravel(contents.get("rand_perm_cam", np.empty(0)))
    if cells.dtype != object or len(cells) != CAMERAS:
        variables = sorted(name for name in contents if not name.startswith("__"))
        raise UserError(
            f"{path} has no 6 x 1 cell 'rand_perm_cam'; its variables: {variables}.\n{CURE}",
            about=str(path),
        )
    return cells


def _table_problem(table: object) -> str | None:
    table = np.asarray(table)
    if table.dtype == object:
        if table.size != 1:
            return "not a table of numbers"
        return "nested more deeply than expected"
    if table.size == 0:
        return None
    if table.ndim != 2 or len(table) != TRIALS or table.dtype.kind not in "ui":
        return f"expected {TRIALS} rows of integers, found {table.dtype} {table.shape}"
    expected = np.arange(1, table.shape[1] + 1)
    if not (np.sort(table, axis=1) == expected).all():
        return f"a row is not a permutation of 1..{table.shape[1]}"
    return None
