"""A shared model read from a folder or from the hub, whoever wrote it.

Three files are opened by their fixed names, each is read once, and nothing in them is run. Their
sizes come first, then the hashes in metrics.json, then each field and each tensor. Everything that
is wrong is reported at once.
"""

import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any, NamedTuple

import jax
from flax import linen as nn

from dmcf_jax.errors import Problem, UserError
from dmcf_jax.export.hub.check_config import SharedConfig, check_config
from dmcf_jax.export.hub.check_weights import check_weights, expected_variables, read_header
from dmcf_jax.export.hub.layout import (
    CONFIG,
    HASHED,
    LIMITS,
    METRICS,
    PICKLES,
    READ,
    WEIGHTS,
    is_shared,
    printable,
)
from dmcf_jax.export.hub.metrics import check_metrics
from dmcf_jax.runs.load import TrainedModel
from dmcf_jax.runtime.devices import make_mesh, replicated
from dmcf_jax.runtime.paths import local_path
from dmcf_jax.weights.hub import fetch_folder, is_address

CURE = (
    "Nothing of it was used. Fetch the folder again, or ask its owner for what "
    "dmcf export --format=hub wrote."
)


class Shared(NamedTuple):
    """A shared model.

    Attributes:
        trained: the network with its variables.
        metrics: what metrics.json holds; data and results are under `trained_on` and `results`.
    """

    trained: TrainedModel
    metrics: dict[str, Any]


def is_shared_source(source: str | Path) -> bool:
    """Return whether `source` is an address of the hub or the folder of a shared model."""
    return is_address(str(source)) or is_shared(local_path(source))


def open_shared(source: str | Path, step: int | None = None, best: bool = False) -> Shared:
    """Return the model at hf://owner/name[@revision], which is fetched, or in a folder.

    Args:
        step, best: which checkpoint; there is one, so they are refused.

    Raises:
        UserError: it cannot be fetched, or naming everything that is wrong with it.
    """
    refuse_checkpoint(source, step, best)
    if is_address(str(source)):
        # The cache has links from the snapshot to its files, two folders above.
        folder = fetch_folder(str(source), LIMITS)
        return read_shared(folder, folder.parents[1], str(source))
    return read_shared(local_path(source), name=str(source))


def refuse_checkpoint(source: str | Path, step: int | None, best: bool) -> None:
    """Refuse the choice of a checkpoint where there is none.

    Raises:
        UserError: `step` or `best` is given.
    """
    if step is not None or best:
        flag = "--best" if step is None else "--step"
        raise UserError(f"{flag} is for runs: {source} holds one checkpoint", about=flag)


def read_shared(folder: Path, root: Path | None = None, name: str = "") -> Shared:
    """Return the model in a folder.

    Args:
        root: folder that links may lead to; by default `folder` itself.
        name: what messages call it; by default its path.

    Raises:
        UserError: naming everything that is wrong with it.
    """
    files, problems = _read_files(folder, root or folder)
    parsed = _parse(files, problems)
    if METRICS in parsed:
        wrong = check_metrics(parsed[METRICS])
        problems += wrong or _other_hashes(files, parsed[METRICS]["sha256"])
    built = _build(files, parsed, problems)
    if problems or built is None:
        title = f"{name or folder} was refused as a model of dmcf_jax:"
        raise UserError.listing(title, problems, CURE, at_most=12)
    shared, network, variables = built
    trained = TrainedModel(
        shared.config,
        network,
        jax.device_put(variables, replicated(make_mesh())),
        shared.step,
        printable(parsed[METRICS]["checkpoint"]["chosen_by"]),
        shared.wide_range,
        parsed[METRICS].get("thresholds"),
    )
    return Shared(trained, parsed[METRICS])


def _read_files(folder: Path, root: Path) -> tuple[dict[str, bytes], list[Problem]]:
    """Return the files that can be read, and what is wrong with the others."""
    files, problems = {}, []
    for name in READ:
        try:
            files[name] = _read_file(folder / name, root, LIMITS[name])
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            problems.append(Problem(name, f"{name} cannot be read: {reason}"))
    pickles = [each for each in PICKLES if (folder / each).exists()]
    if WEIGHTS not in files and pickles:
        text = f"{pickles[0]} is a pickle, which may run code: weights are read from {WEIGHTS} only"
        problems.append(Problem(pickles[0], text))
    return files, problems


def _read_file(path: Path, root: Path, most: int) -> bytes:
    """Return the bytes of an ordinary file in `root`, at most `most` of them."""
    if not path.resolve().is_relative_to(root.resolve()):
        raise ValueError("it is a link that leads out of the folder")
    with open(path, "rb", opener=_without_waiting) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it is no ordinary file")
        if status.st_size > most:
            raise ValueError(f"it has {status.st_size} bytes, expected at most {most}")
        return file.read(most)


def _without_waiting(path: str, flags: int) -> int:
    """Open a file; one of the kinds that wait for a writer does not."""
    return os.open(path, flags | os.O_NONBLOCK)


def _parse(files: dict[str, bytes], problems: list[Problem]) -> dict[str, Any]:
    """Return what the JSON files hold; add to `problems` what cannot be read."""
    parsed = {}
    for name in (CONFIG, METRICS):
        if name not in files:
            continue
        try:
            parsed[name] = json.loads(files[name])
        except (ValueError, RecursionError) as error:  # no JSON, no UTF-8, or nested too deeply
            problems.append(Problem(name, f"{name} is no JSON ({type(error).__name__})"))
    return parsed


def _other_hashes(files: dict[str, bytes], hashes: dict[str, str]) -> list[Problem]:
    """Return which files are not as they were when metrics.json was written."""
    found = {name: hashlib.sha256(files[name]).hexdigest() for name in HASHED if name in files}
    return [
        Problem(name, f"{name} has SHA-256 {digest}, but {METRICS} says {printable(hashes[name])}")
        for name, digest in found.items()
        if digest != hashes[name]
    ]


def _build(
    files: dict[str, bytes], parsed: dict[str, Any], problems: list[Problem]
) -> tuple[SharedConfig, nn.Module, dict] | None:
    """Return config, network and variables; None where `problems` got new entries."""
    header = read_header(files[WEIGHTS]) if WEIGHTS in files else None
    config = check_config(parsed[CONFIG]) if CONFIG in parsed else None
    problems += [header] if isinstance(header, Problem) else []
    problems += config if isinstance(config, list) else []
    if not isinstance(header, dict) or not isinstance(config, SharedConfig):
        return None
    expected = expected_variables(config, header)
    if isinstance(expected, Problem):
        problems.append(expected)
        return None
    network, shapes = expected
    variables = check_weights(files[WEIGHTS], header, shapes)
    if isinstance(variables, list):
        problems += variables
        return None
    return config, network, variables
