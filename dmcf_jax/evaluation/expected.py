"""Results on record: an evaluation is held against them, so that a change of numbers is seen.

A record is a JSON file: `tolerance`, and for each protocol its metrics as fractions, its counts
and its galleries. What a record leaves out is not compared: docs/expected/ keeps the demo's mAP
alone, since the demo learns too little for its ranks to be the same on every processor.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from dmcf_jax.errors import UserError
from dmcf_jax.runtime.files import write_atomically

TOLERANCE = 0.005  # half a percent
RANKS = ("1", "5", "10", "20")


def as_record(results: Sequence[Mapping]) -> dict[str, dict]:
    """Return what of `results` goes on record, by protocol (and options that depart from it)."""
    return {_name(result): _facts(result) for result in results}


def _name(result):
    return ", ".join([result["protocol"], *result["options"]])


def _facts(result):
    mean, trials = result["mean"], result["trials"]
    curve = {f"rank-{rank}": mean["cmc"][rank] for rank in RANKS if rank in mean["cmc"]}
    return {
        "metrics": {**curve, "mAP": mean["mAP"], "mINP": mean["mINP"]},
        "valid_queries": [trial["valid_queries"] for trial in trials],
        "gallery": [trial["gallery"] for trial in trials],
        "gallery_hash": [trial["gallery_hash"] for trial in trials],
    }


def write_record(path: str | Path, results: Sequence[Mapping], tolerance: float | None) -> None:
    """Put `results` on record in a file for `check_against`."""
    record = {"tolerance": _checked(tolerance, TOLERANCE), "results": as_record(results)}
    write_atomically(Path(path), json.dumps(record, indent=2) + "\n")


def check_against(
    path: str | Path, results: Sequence[Mapping], tolerance: float | None = None
) -> str:
    """Hold `results` against a record, and return a sentence on how near they are.

    Args:
        tolerance: largest difference of a metric, as a fraction; by default the record's own.

    Raises:
        UserError: the file is no record, a recorded protocol was not evaluated, or anything
            differs: all differences at once.
    """
    record = _read(path)
    tolerance = _checked(tolerance, record["tolerance"])
    here = as_record(results)
    problems, largest = [], 0.0
    for name, recorded in record["results"].items():
        if name not in here:
            problems.append(f"{name} is on record, but was not evaluated")
            continue
        problems += _other_data(name, recorded, here[name])
        for metric, value in recorded["metrics"].items():
            found = here[name]["metrics"].get(metric, float("nan"))
            largest = max(largest, abs(found - value))
            if not abs(found - value) <= tolerance:
                problems.append(f"{name}: {metric} is {found:.4f}, on record {value:.4f}")
    if problems:
        raise UserError.listing(
            f"these results are not those of {path} (tolerance {tolerance:g}):",
            problems,
            "If the change is meant, write the record anew with --record.",
        )
    return f"as {path} has it: the largest difference is {largest:.4f} of {tolerance:g} allowed"


def _other_data(name, recorded, here):
    fields = ("valid_queries", "gallery", "gallery_hash")
    differing = [field for field in fields if recorded[field] != here[field]]
    return [f"{name}: other data ({', '.join(differing)} differ)"] if differing else []


def _checked(tolerance, default):
    tolerance = default if tolerance is None else tolerance
    if not 0 <= tolerance <= 1:
        raise UserError(f"--tolerance={tolerance}: expected a fraction from 0 to 1")
    return tolerance


def _read(path):
    try:
        record = json.loads(Path(path).read_text(encoding="utf-8"))
        record["tolerance"] + 0.0
        if not record["results"]:  # an empty one would agree with anything
            raise ValueError("it has no results")
        for recorded in record["results"].values():
            for value in recorded["metrics"].values():
                value + 0.0
            for field in ("valid_queries", "gallery", "gallery_hash"):
                recorded[field]
        return record
    except OSError as error:
        why = error.strerror
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        why = f"it is no record: {error!r}"
    raise UserError(f"{path} cannot be read ({why}). Write one with --record={path}") from None
