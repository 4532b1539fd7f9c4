"""What an evaluation leaves behind: JSON, a table, the CMC curve as data and as a figure.

A result is a plain dict, so that what was read back from a file and what was just computed are
the same thing. Metrics are fractions in files and percent in tables.
"""

import csv
import dataclasses
import io
import json
import os
from collections.abc import Mapping, Sequence

import numpy as np

import dmcf_jax
from dmcf_jax.errors import UserError
from dmcf_jax.evaluation.evaluate_protocol import ProtocolResult
from dmcf_jax.modality import MODALITIES
from dmcf_jax.runtime.files import write_atomically

RANKS = (1, 5, 10, 20)
MUST_AGREE = ("protocol", "definition", "options", "metric", "max_rank")


def result_as_dict(
    result: ProtocolResult,
    *,
    step: int | None,
    chosen_by: str,
    metric: str = "cosine",
    extra: Mapping | None = None,
) -> dict:
    """Return what `<protocol>.json` holds.

    Args:
        step: of the checkpoint that made the embeddings; None where there is none.
        chosen_by: how that step was chosen, such as 'last' or 'best rank-1 on test (marked)'.
        extra: further facts for the file, such as the data set's own metadata.

    Standard deviations are those of the trials at hand (divisor n, as numpy.std).
    """
    trials = [_trial_as_dict(trial) for trial in result.trials]
    return {
        "protocol": result.protocol.name,
        "definition": _definition(result.protocol),
        "options": list(result.options),
        "metric": metric,
        "max_rank": len(trials[0]["cmc"]),
        "package": {"name": "dmcf_jax", "version": dmcf_jax.__version__},
        "checkpoint": {"step": step, "chosen_by": chosen_by},
        **dict(extra or {}),
        "trials": trials,
        **_averages(trials),
    }


def _definition(protocol):
    definition = dataclasses.asdict(protocol)
    del definition["name"]
    for side in ("queries", "gallery"):
        definition[side]["modality"] = MODALITIES[definition[side]["modality"]]
        definition[side]["cameras"] = list(definition[side]["cameras"] or ())
    return definition


def _trial_as_dict(trial):
    metrics = trial.metrics
    return {
        "trial": trial.trial,
        "cmc": {str(k): float(value) for k, value in enumerate(metrics.cmc, start=1)},
        "mAP": metrics.mAP,
        "mINP": metrics.mINP,
        "queries": metrics.queries,
        "valid_queries": metrics.valid_queries,
        "gallery": metrics.gallery,
        "gallery_hash": trial.gallery_hash,
        "query_hash": trial.query_hash,
    }


def _averages(trials):
    curves = np.array([list(trial["cmc"].values()) for trial in trials])
    averages = {}
    for name, average in (("mean", np.mean), ("std", np.std)):
        curve = {str(k): float(v) for k, v in enumerate(average(curves, axis=0), start=1)}
        averages[name] = {"cmc": curve} | {
            field: float(average([trial[field] for trial in trials])) for field in ("mAP", "mINP")
        }
    return averages


def pool_trials(paths: Sequence[str | os.PathLike]) -> dict:
    """Return one result from several files of the same protocol, as for RegDB's ten models.

    Trials are put in order, mean and standard deviation taken over all of them. Raises UserError
    for files that cannot be read, differ in protocol or options, or repeat a trial.
    """
    results = [read_result(path) for path in paths]
    if not results:
        raise UserError("no result files to pool")
    problems = _differences(paths, results) + _repeated_trials(paths, results)
    if problems:
        raise UserError.listing("these results cannot be pooled:", problems)
    trials = sorted((t for r in results for t in r["trials"]), key=lambda trial: trial["trial"])
    models = results[0]["definition"]["models"]
    return {
        **{name: results[0][name] for name in MUST_AGREE},
        "package": results[0]["package"],
        "pooled": [
            {"file": os.fspath(path), "package": r["package"], "checkpoint": r["checkpoint"]}
            for path, r in zip(paths, results, strict=True)
        ],
        "models": {"pooled": len(results), "of": models},
        "trials": trials,
        **_averages(trials),
    }


def _differences(paths, results):
    first = results[0]
    return [
        f"{path}: {name} is {_short(result[name])}, in {paths[0]} {_short(first[name])}"
        for path, result in zip(paths[1:], results[1:], strict=True)
        for name in MUST_AGREE
        if result[name] != first[name]
    ]


def _short(value):
    text = json.dumps(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _repeated_trials(paths, results):
    seen, problems = {}, []
    for path, result in zip(paths, results, strict=True):
        for trial in result["trials"]:
            if trial["trial"] in seen:
                problems.append(f"{path}: trial {trial['trial']}, as in {seen[trial['trial']]}")
            seen.setdefault(trial["trial"], path)
    return problems


def read_result(path: str | os.PathLike) -> dict:
    """Read a result file; UserError where it is not one."""
    try:
        with open(path, encoding="utf-8") as file:
            result = json.load(file)
    except (OSError, ValueError) as error:
        raise UserError(f"{os.fspath(path)} cannot be read as a result: {error}") from None
    wanted = {*MUST_AGREE, "package", "checkpoint", "trials"}
    missing = sorted(wanted - set(result)) if isinstance(result, dict) else sorted(wanted)
    if missing:
        raise UserError(f"{os.fspath(path)} is no single result: it lacks {', '.join(missing)}")
    return result


def markdown_table(results: Sequence[Mapping]) -> str:
    """Return a pipe table of means in percent, with the standard deviation of several trials."""
    ranks = [f"rank-{k}" for k in RANKS]
    header = ["protocol", "trials", *ranks, "mAP", "mINP"]
    rows = [header, [":--", *["--:"] * (len(header) - 1)]]
    for result in results:
        name = ", ".join([result["protocol"], *result["options"]])
        cells = [_cell(result, field) for field in (*RANKS, "mAP", "mINP")]
        rows.append([name, str(len(result["trials"])), *cells])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


def _cell(result, field):
    mean, spread = (100 * _value(result[name], field) for name in ("mean", "std"))
    return f"{mean:.2f} ± {spread:.2f}" if len(result["trials"]) > 1 else f"{mean:.2f}"


def _value(metrics, field):
    if isinstance(field, str):
        return metrics[field]
    return metrics["cmc"][str(min(field, len(metrics["cmc"])))]


def cmc_csv(result: Mapping) -> str:
    """Return the CMC curve as CSV: rank, mean, standard deviation, and each trial's value."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    trials = result["trials"]
    writer.writerow(["rank", "mean", "std", *(f"trial_{trial['trial']}" for trial in trials)])
    for rank in result["mean"]["cmc"]:
        averages = [result[name]["cmc"][rank] for name in ("mean", "std")]
        writer.writerow([rank, *averages, *(trial["cmc"][rank] for trial in trials)])
    return text.getvalue()


def write_report(result: Mapping, folder: str | os.PathLike, name: str | None = None) -> list[str]:
    """Write `<name>.json`, `.md`, `.csv`, `.png` and `.svg` under `folder`; return the paths.

    `name` is the protocol's by default, so a result lies at `<folder>/sysu_mm01/all/...json`.
    Each file appears whole or not at all.
    """
    from dmcf_jax.evaluation.cmc_figure import cmc_figure  # matplotlib takes a second to load

    stem = os.path.join(os.fspath(folder), name or result["protocol"])
    contents = {
        ".json": (json.dumps(result, indent=2) + "\n").encode(),
        ".md": markdown_table([result]).encode(),
        ".csv": cmc_csv(result).encode(),
        **cmc_figure([result]),
    }
    for suffix, content in contents.items():
        write_atomically(stem + suffix, content, "Name another folder.")
    return [stem + suffix for suffix in contents]
