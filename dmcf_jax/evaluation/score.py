"""Official scores of embeddings or distances from any model, from one `.npz` file.

Arrays of the file: `query_features [q, d]`, `query_ids [q]`, `query_cameras [q]`,
`gallery_features [g, d]`, `gallery_ids [g]`, `gallery_cameras [g]`. Cameras are needed where the
protocol ignores by camera. With a distance matrix `[q, g]` in an `.npy` file the features are not
needed. Nothing pickled is ever loaded.
"""

import os
import zipfile
from collections.abc import Sequence
from functools import partial

import numpy as np

from dmcf_jax.errors import Problem, UserError
from dmcf_jax.evaluation.junk import without_junk
from dmcf_jax.evaluation.protocols import (
    SAME_PERSON_AND_CAMERA,
    family_of,
    find_protocol,
    list_protocols,
)
from dmcf_jax.evaluation.ranking.checks import (
    METRICS,
    embedding_problems,
    matrix_problems,
    squared_norms,
)
from dmcf_jax.evaluation.ranking.ranking import (
    LONGEST_CURVE,
    rank_distances,
    rank_queries,
    summarise,
)
from dmcf_jax.evaluation.results import metrics_as_dict
from dmcf_jax.evaluation.suspicions import hidden_images, rows_in_both, suspicions
from dmcf_jax.evaluation.verification import verify_distances, verify_queries
from dmcf_jax.evaluation.verification_results import verification_as_dict
from dmcf_jax.runtime.console import log
from dmcf_jax.runtime.files import DAMAGED_ARCHIVE

# Ignore rule and CMC kind of each family's first protocol, such as 'regdb'. A full protocol name is
# accepted too.
FAMILIES = {
    family_of(protocol.name): (protocol.ignore, protocol.cmc)
    for protocol in reversed(list_protocols())
}
SIDES = ("query", "gallery")
CAMERAS = {"sysu_mm01": range(1, 7), "regdb": range(1, 3), "llcm": range(1, 10)}
OF_EMBED = "embeddings of dmcf embed: give their folders as --query=DIR and --gallery=DIR instead"
CURE = "Write the file with numpy.savez(path, query_features=..., query_ids=..., ...)."


def score(
    features: str | None,
    protocol: str = "plain",
    *,
    distances: str | None = None,
    metric: str = "cosine",
    max_rank: int = 20,
    verification: bool = True,
) -> dict:
    """Return protocol, cmc {'1': ...}, mAP, mINP (fractions), queries, valid_queries, gallery.

    `notes` are reasons to doubt the scores; they are logged, too. `verification` holds what
    `verification_as_dict` returns.

    Args:
        features: path of the `.npz` file.
        protocol: plain, sysu_mm01, regdb, llcm, market1501, or the full name of a protocol: only
            its ignore rule and kind of CMC matter here.
        distances: path of an `.npy` matrix `[q, g]`, smaller is nearer, in place of the features;
            it is read in blocks.
        metric: cosine or euclidean; of no effect with `distances`.
        verification: verify all pairs, too; two more passes over them.

    Raises:
        UserError: with everything that is wrong with the files and choices.
    """
    problems = _choice_problems(features, metric, max_rank)
    arrays = _read_arrays(features, distances is None, problems) if features else {}
    matrix = _read_matrix(distances, problems) if distances else None
    options = {"metric": metric, "max_rank": max_rank, "verification": verification}
    return score_arrays(arrays, protocol, matrix, problems, **options)


def score_arrays(
    arrays: dict[str, np.ndarray],
    protocol: str,
    matrix: np.ndarray | None = None,
    problems: Sequence[Problem] = (),
    *,
    metric: str = "cosine",
    max_rank: int = 20,
    verification: bool = True,
) -> dict:
    """Return what `score` returns, of arrays in memory.

    Args:
        arrays: those of the file, by name.
        matrix: distances [q, g] in place of features.
        problems: what is wrong already.

    Raises:
        UserError: see `score`.
    """
    problems, junk = list(problems), 0
    ignore, cmc = _rules(protocol, problems)
    if family_of(protocol) == "market1501":
        arrays, matrix, junk = without_junk(arrays, matrix)
    _check_labels(arrays, matrix, ignore, problems)
    problems += _unknown_cameras(arrays, protocol) if ignore != "none" else []
    if matrix is None:
        _check_features(arrays, metric if metric in METRICS else METRICS[0], problems)
    if problems:
        raise UserError.listing("cannot score:", problems, CURE)
    labels = (
        arrays["query_ids"],
        arrays["gallery_ids"],
        arrays.get("query_cameras"),
        arrays.get("gallery_cameras"),
    )
    hidden = None
    if ignore == SAME_PERSON_AND_CAMERA:  # there are cameras, see `_check_labels`
        hidden = hidden_images(*labels[:2], arrays["query_cameras"], arrays["gallery_cameras"])
    same = 0
    if matrix is None:
        sides = arrays["query_features"], arrays["gallery_features"]
        same = rows_in_both(*sides, *(labels if hidden is not None else ()))
        ranked = rank_queries(*sides, *labels, ignore=ignore, cmc=cmc, metric=metric)
        verify = partial(verify_queries, *sides, *labels, ignore=ignore, metric=metric)
    else:
        ranked = rank_distances(matrix, *labels, ignore=ignore, cmc=cmc, check=False)
        verify = partial(verify_distances, matrix, *labels, ignore=ignore)
    metrics = summarise(ranked, max_rank)
    notes = [f"{junk} gallery images are junk (identity -1) and left out"] if junk else []
    notes += suspicions(metrics, arrays["query_ids"], arrays["gallery_ids"], same, hidden)
    for note in notes:
        log(f"NOTE: {note}")
    verified = {"verification": verification_as_dict(verify())} if verification else {}
    return {"protocol": protocol, **metrics_as_dict(metrics), "notes": notes, **verified}


def _choice_problems(features: str | None, metric: str, max_rank: int) -> list[Problem]:
    problems = []
    if not features:
        text = "--features is missing: the .npz file with identities and features"
        problems.append(Problem("--features", text))
    if metric not in METRICS:
        text = f"--metric={metric}: must be one of {', '.join(METRICS)}"
        problems.append(Problem("--metric", text))
    if not 1 <= max_rank <= LONGEST_CURVE:
        text = f"--max_rank={max_rank}: must be between 1 and {LONGEST_CURVE}"
        problems.append(Problem("--max_rank", text))
    return problems


def _rules(protocol: str, problems: list[Problem]) -> tuple[str, str]:
    if protocol in FAMILIES:
        return FAMILIES[protocol]
    if protocol in (known.name for known in list_protocols()):
        found = find_protocol(protocol)
        return found.ignore, found.cmc
    text = f"--protocol={protocol}: must be one of {', '.join(FAMILIES)} or a full name"
    problems.append(Problem("--protocol", text))
    return FAMILIES["plain"]


def _read_arrays(path: str, with_features: bool, problems: list[Problem]) -> dict[str, np.ndarray]:
    """Return the arrays that could be read; add what could not to `problems`."""
    wanted = [f"{side}_{kind}" for side in SIDES for kind in ("features", "ids", "cameras")]
    if not with_features:
        wanted = [name for name in wanted if not name.endswith("features")]
    try:
        if os.path.exists(os.path.join(path, "manifest.json")):
            problems.append(Problem("--features", f"{path}: {OF_EMBED}"))
            return {}
        with open(path, "rb") as file:
            archive = np.load(file, allow_pickle=False)
            if isinstance(archive, np.lib.npyio.NpzFile):
                return _unpack(archive, path, wanted, problems)
            _add(problems, path, "one array, not an .npz archive of named arrays")
    except DAMAGED_ARCHIVE as error:
        _add(problems, path, _reason(error))
    return {}


def _add(problems: list[Problem], about: str, text: str | None) -> None:
    """Add a problem about a file or an array, if there is one."""
    if text:
        problems.append(Problem(about, f"{about}: {text}"))


def _unpack(
    archive: np.lib.npyio.NpzFile, path: str, wanted: list[str], problems: list[Problem]
) -> dict[str, np.ndarray]:
    assert archive.zip is not None  # it is open
    arrays = {}
    if "embedding" in archive.files:
        problems.append(Problem("--features", f"{path}: {OF_EMBED}"))
        return arrays
    for name in wanted:
        if name not in archive.files:
            if not name.endswith("cameras"):
                text = f"{path}: {name} is missing (it has {archive.files})"
                problems.append(Problem(name, text))
            continue
        try:
            if problem := _bomb(archive.zip, name):
                _add(problems, name, problem)
                continue
            arrays[name] = archive[name]
        except DAMAGED_ARCHIVE as error:
            _add(problems, name, _reason(error))
    return arrays


def _bomb(archive: zipfile.ZipFile, name: str) -> str | None:
    """Return a problem if an array does not fit in memory: a small file may unpack to any size."""
    size = archive.getinfo(f"{name}.npy").file_size
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if size > memory:
        return f"unpacks to {size / 1e9:.0f} GB, more than this machine's {memory / 1e9:.0f} GB"
    return None


def _read_matrix(path: str, problems: list[Problem]) -> np.ndarray:
    try:
        matrix = np.load(path, mmap_mode="r", allow_pickle=False)
    except DAMAGED_ARCHIVE as error:
        _add(problems, path, _reason(error))
        return np.empty((0, 0))
    if not isinstance(matrix, np.ndarray):
        matrix.close()
        _add(problems, path, "an archive, where one .npy array [queries, gallery] is expected")
        return np.empty((0, 0))
    if matrix.ndim != 2 or matrix.dtype.kind not in "fiu":
        _add(problems, path, f"{_described(matrix)}, expected real numbers [queries, gallery]")
        return np.empty((0, 0))
    for problem in matrix_problems(matrix):
        _add(problems, path, problem.text)
    return matrix


def _reason(error: Exception) -> str:
    text = str(error)
    if "allow_pickle" in text or "Python objects" in text:
        return "holds pickled Python objects, which can run code and are never loaded"
    return f"cannot be read ({type(error).__name__}: {text})"


def _described(array: np.ndarray) -> str:
    return f"{array.dtype} of shape {list(array.shape)}"


def _check_labels(
    arrays: dict[str, np.ndarray],
    matrix: np.ndarray | None,
    ignore: str,
    problems: list[Problem],
) -> None:
    """Check identities and cameras, and convert them to int64."""
    for side in SIDES:
        ids = arrays.get(f"{side}_ids")
        for kind in ("ids", "cameras"):
            name = f"{side}_{kind}"
            if name in arrays:
                problem = _label_problem(arrays[name], kind, ids)
                _add(problems, name, problem)
                if not problem:
                    arrays[name] = arrays[name].astype(np.int64)
            elif kind == "cameras" and ignore != "none" and arrays:
                text = f"{name} is missing: the protocol ignores images by camera"
                problems.append(Problem(name, text))
    if matrix is not None and matrix.size:
        _check_shape(matrix, arrays, problems)


def _label_problem(labels: np.ndarray, kind: str, ids: np.ndarray | None) -> str | None:
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        return f"{_described(labels)}, expected one list of integers"
    if len(labels) == 0:
        return "empty"
    if ids is not None and ids.ndim == 1 and len(labels) != len(ids):
        return f"{len(labels)} of them for {len(ids)} identities"
    if labels.min() < 0:
        row = int(np.argmax(labels < 0))
        return f"{int((labels < 0).sum())} are negative, the first in row {row}: {labels[row]}"
    limit = np.iinfo(np.int64 if kind == "ids" else np.int32).max
    return f"{labels.max()} is too large" if labels.max() > limit else None


def _unknown_cameras(arrays: dict[str, np.ndarray], protocol: str) -> list[Problem]:
    """Return a problem for each side with cameras that the data set of a protocol has not.

    With cameras that start at 0, a rule such as 'cam3-cam2' would ignore the wrong images.
    """
    known = CAMERAS.get(family_of(protocol))
    if known is None:
        return []
    found = []
    for name in (f"{side}_cameras" for side in SIDES if f"{side}_cameras" in arrays):
        wrong = sorted(set(arrays[name].ravel().tolist()) - set(known))
        if wrong:
            text = f"{name}: {protocol} has the cameras {known[0]} to {known[-1]}, not {wrong[:5]}"
            found.append(Problem(name, text))
    return found


def _check_shape(
    matrix: np.ndarray, arrays: dict[str, np.ndarray], problems: list[Problem]
) -> None:
    for side, number in zip(SIDES, matrix.shape, strict=True):
        ids = arrays.get(f"{side}_ids")
        if ids is not None and ids.ndim == 1 and len(ids) != number:
            text = f"distances of shape {list(matrix.shape)} for {len(ids)} {side} identities"
            problems.append(Problem("--distances", text))


def _check_features(arrays: dict[str, np.ndarray], metric: str, problems: list[Problem]) -> None:
    """Check features and convert them to float32."""
    for side in SIDES:
        name = f"{side}_features"
        if name not in arrays:
            continue
        features, ids = arrays[name], arrays.get(f"{side}_ids")
        if features.ndim != 2 or features.dtype.kind not in "fiu" or 0 in features.shape:
            _add(problems, name, f"{_described(features)}, expected real numbers [n, d]")
            continue
        if ids is not None and ids.ndim == 1 and len(ids) != len(features):
            _add(problems, name, f"{len(features)} rows for {len(ids)} {side}_ids")
        with np.errstate(over="ignore"):
            arrays[name] = features.astype(np.float32, copy=False)
        problems.extend(embedding_problems(squared_norms(arrays[name]), name, metric))
    shapes = [list(arrays[f"{side}_features"].shape) for side in SIDES
              if f"{side}_features" in arrays]  # fmt: skip
    if len(shapes) == 2 and shapes[0][1:] != shapes[1][1:]:
        text = (
            f"query_features have shape {shapes[0]}, gallery_features {shapes[1]}: the second "
            "sizes must be equal"
        )
        problems.append(Problem("gallery_features", text))
