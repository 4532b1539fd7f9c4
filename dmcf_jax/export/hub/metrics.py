"""metrics.json of a shared model: hashes of its files and its data, and what was measured.

It names no person and no folder: of the people it has their number and one hash of all names.
"""

import contextlib
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from dmcf_jax import __version__
from dmcf_jax.data.datasets import DATASETS
from dmcf_jax.data.records.prepared import is_synthetic
from dmcf_jax.errors import Problem, UserError
from dmcf_jax.evaluation.results import read_result
from dmcf_jax.evaluation.thresholds import is_thresholds
from dmcf_jax.export.hub.layout import FORMAT, HASHED, METRICS
from dmcf_jax.runs.data_record import metadata_of, read_record
from dmcf_jax.runs.load import TrainedModel
from dmcf_jax.runtime.checksums import file_digest
from dmcf_jax.runtime.console import log
from dmcf_jax.weights.hub import is_address
from dmcf_jax.weights.synthetic import NAME as PACKAGED

RANDOM = "random weights"  # what a run started from that was given none
# What a data record says that may be shared: neither names nor places.
DATA = ("dataset", "trial", "official", "synthetic", "records_sha256")


def metrics_content(workdir: Path, trained: TrainedModel, folder: Path) -> dict[str, Any]:
    """Return what metrics.json is to hold.

    Args:
        workdir: of the run.
        folder: where the hashed files are already.
    """
    return {
        "format": FORMAT,
        "dmcf_jax": __version__,
        "sha256": {name: file_digest(folder / name) for name in HASHED},
        "checkpoint": {"step": trained.step, "chosen_by": trained.chosen_by},
        "started_from": _started_from(trained.config),
        "trained_on": trained_on(workdir, trained.config),
        "results": results_of(workdir, trained.step),
        "thresholds": trained.thresholds,
    }


def trained_on(workdir: Path, config: ConfigDict) -> dict[str, Any] | None:
    """Return what may be shared of a run's data; None of a run that did not record them."""
    record = read_record(workdir)
    if record is None:
        return None
    known = {name: record.get(name, _synthetic(config, record)) for name in DATA}
    classes = record["classes"]
    return known | {"people": len(classes), "people_sha256": people_digest(classes)}


def _synthetic(config: ConfigDict, record: Mapping[str, Any]) -> bool | None:
    """Return whether the data of an older run are synthetic; None if they are gone."""
    with contextlib.suppress(UserError):
        metadata = metadata_of(config)
        if metadata["records_sha256"] == record["records_sha256"]:
            return is_synthetic(metadata)
    return None


def people_digest(names: Sequence[str]) -> str:
    """Return one SHA-256 (hex) of all names of people, in the order of the classes."""
    return hashlib.sha256(json.dumps(list(names)).encode()).hexdigest()


def results_of(workdir: Path, step: int) -> list[dict[str, Any]]:
    """Return the results of a run's evaluations at a checkpoint, as evaluation/*.json has them.

    Those of other checkpoints are left out, which is logged.
    """
    files = sorted((workdir / "evaluation").rglob("*.json"))
    results = [read_result(file) for file in files]
    same = [result for result in results if result["checkpoint"]["step"] == step]
    if left := len(results) - len(same):
        log(f"NOTE: {left} results are of another checkpoint than step {step} and left out.")
    return same


def _started_from(config: ConfigDict) -> str:
    """Return what a run started from, of a path the last name alone."""
    source = config.init_from or config.model.pretrained
    if not source or (source == PACKAGED and not config.init_from):
        return source or RANDOM
    return source if is_address(source) else f"a file or run called {Path(source).name}"


def check_metrics(content: Any) -> list[Problem]:
    """Return what is wrong with metrics.json as a program reads it.

    Args:
        content: as JSON gave it.
    """
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        text = f"{METRICS} is of no format that this version reads (expected format: {FORMAT})"
        return [Problem(METRICS, text)]
    wrong = [name for name, fits in _parts(content).items() if not fits]
    return [
        Problem(f"{METRICS}: {name}", f"{METRICS}: {name} is missing or no such entry")
        for name in wrong
    ]


def _parts(content: Mapping[str, Any]) -> dict[str, bool]:
    hashes, data = content.get("sha256"), content.get("trained_on", 0)
    checkpoint = content.get("checkpoint")
    return {
        "sha256": _is_hashes(hashes) and set(HASHED) <= set(hashes or ()),
        "checkpoint": isinstance(checkpoint, dict) and isinstance(checkpoint.get("chosen_by"), str),
        "trained_on": data is None or _is_data(data),
        "results": isinstance(content.get("results"), list),
        "thresholds": is_thresholds(content.get("thresholds")),
    }


def _is_hashes(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(one, str) for one in value.values())


def _is_data(value: Any) -> bool:
    """Return whether an entry has what evaluations and new runs read of it."""
    return (
        isinstance(value, dict)
        and value.get("dataset") in tuple(DATASETS)
        and isinstance(value.get("trial"), int | None)
        and _is_hashes(value.get("records_sha256"))
        and isinstance(value.get("people_sha256"), str)
    )
