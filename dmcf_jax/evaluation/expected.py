"""Recorded results: an evaluation is compared with them, so that a change of numbers is noticed.

A record is a JSON file: `tolerance`, and for each protocol its metrics as fractions, its counts
and its galleries. What a record leaves out is not compared: docs/expected/ keeps the demo's mAP
alone, since the demo learns too little for its ranks to be the same on every processor.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from dmcf_jax.errors import Problem, UserError
from dmcf_jax.evaluation.results import RANKS, title
from dmcf_jax.runtime.files import write_atomically

TOLERANCE = 0.005  # half a percent
DATA = ("valid_queries", "gallery", "gallery_hash")


def write_record(path: str | Path, results: Sequence[Mapping], tolerance: float | None) -> None:
    """Write `results` to a file for `check_against`."""
    record = {"tolerance": _checked(tolerance, TOLERANCE), "results": _by_title(results)}
    write_atomically(Path(path), json.dumps(record, indent=2) + "\n")


def _by_title(results: Sequence[Mapping]) -> dict[str, dict]:
    return {title(result): _entry(result["mean"], result["trials"]) for result in results}


def _entry(mean: Mapping, trials: Sequence[Mapping]) -> dict:
    """Return what is recorded of one result."""
    curve = {f"rank-{k}": mean["cmc"][str(k)] for k in RANKS if str(k) in mean["cmc"]}
    return {
        "metrics": {**curve, "mAP": mean["mAP"], "mINP": mean["mINP"]},
        **{field: [trial[field] for trial in trials] for field in DATA},
    }


def check_against(
    path: str | Path, results: Sequence[Mapping], tolerance: float | None = None
) -> str:
    """Compare `results` with a record and return a sentence on the largest difference.

    Args:
        tolerance: largest difference of a metric, as a fraction; by default the record's own.

    Raises:
        UserError: the file is no record, a recorded protocol was not evaluated, or anything
            differs: all differences at once, each about 'protocol' or 'protocol: metric'.
    """
    record = _read(path)
    tolerance = _checked(tolerance, record["tolerance"])
    evaluated = _by_title(results)
    problems, largest = [], 0.0
    for name, expected in record["results"].items():
        if name not in evaluated:
            problems.append(Problem(name, f"{name} is on record, but was not evaluated"))
            continue
        actual = evaluated[name]
        if differing := [field for field in DATA if expected[field] != actual[field]]:
            problems.append(Problem(name, f"{name}: other data ({', '.join(differing)} differ)"))
        for metric, value in expected["metrics"].items():
            measured = actual["metrics"].get(metric, float("nan"))
            largest = max(largest, abs(measured - value))
            if not abs(measured - value) <= tolerance:  # NaN differs too
                text = f"{name}: {metric} is {measured:.4f}, on record {value:.4f}"
                problems.append(Problem(f"{name}: {metric}", text))
    if problems:
        raise UserError.listing(
            f"these results differ from {path} (tolerance {tolerance:g}):",
            problems,
            "If the change is intended, write the record again with --record.",
        )
    return f"matches {path}: largest difference {largest:.4f} (tolerance {tolerance:g})"


def _checked(tolerance: float | None, default: float) -> float:
    tolerance = default if tolerance is None else tolerance
    if not 0 <= tolerance <= 1:
        text = f"--tolerance={tolerance}: expected a fraction from 0 to 1"
        raise UserError(text, about="--tolerance")
    return tolerance


def _read(path: str | Path) -> dict:
    try:
        record = json.loads(Path(path).read_text(encoding="utf-8"))
        entries = record["results"].values()
        numbers = [value for entry in entries for value in entry["metrics"].values()]
        sum(numbers, start=record["tolerance"] + 0.0)
        # An empty record would match anything.
        if entries and all(field in entry for entry in entries for field in DATA):
            return record
        why = "it is no record: it has no results, or they lack counts and galleries"
    except OSError as error:
        why = error.strerror
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        why = f"it is no record: {error!r}"
    text = f"{path} cannot be read ({why}). Write one with --record={path}"
    raise UserError(text, about=str(path)) from None
