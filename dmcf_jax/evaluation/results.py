"""Results of an evaluation: as a dictionary, pooled over models, as a table and as CSV.

A result is a plain dict, so that a computed one and one read from a file are the same thing.
Metrics are fractions in files and percent in tables. Every standard deviation is the sample
standard deviation (n - 1) over trials.
"""

import csv
import dataclasses
import io
import json
import os
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from dmcf_jax import __version__
from dmcf_jax.errors import Problem, UserError
from dmcf_jax.evaluation.evaluate_protocol import ProtocolResult, TrialResult
from dmcf_jax.evaluation.protocols import Protocol
from dmcf_jax.evaluation.ranking.ranking import Metrics
from dmcf_jax.evaluation.verification_results import (
    nested,
    rates_of_trials,
    verification_as_dict,
)
from dmcf_jax.modality import MODALITIES
from dmcf_jax.runtime.markdown import pipe_table

# Ranks that tables show and that recorded results are compared at.
RANKS = (1, 5, 10, 20)
# Fields in which results must agree to be averaged.
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
        extra: further fields of the file, such as the data set's metadata.
    """
    trials = [_trial_as_dict(trial) for trial in result.trials]
    return {
        "protocol": result.protocol.name,
        "definition": _definition(result.protocol),
        "options": list(result.options),
        "metric": metric,
        "max_rank": len(trials[0]["cmc"]),
        "package": {"name": "dmcf_jax", "version": __version__},
        "checkpoint": {"step": step, "chosen_by": chosen_by},
        **dict(extra or {}),
        "notes": list(dict.fromkeys(note for trial in result.trials for note in trial.notes)),
        "trials": trials,
        **_averages(trials),
    }


def _definition(protocol: Protocol) -> dict:
    definition = dataclasses.asdict(protocol)
    del definition["name"]
    for side in ("queries", "gallery"):
        definition[side]["modality"] = MODALITIES[definition[side]["modality"]]
        definition[side]["cameras"] = list(definition[side]["cameras"] or ())
    return definition


def metrics_as_dict(metrics: Metrics) -> dict:
    """Return cmc {'1': ...}, mAP, mINP (fractions), queries, valid_queries, gallery."""
    return {
        "cmc": {str(k): float(value) for k, value in enumerate(metrics.cmc, start=1)},
        "mAP": metrics.mAP,
        "mINP": metrics.mINP,
        "queries": metrics.queries,
        "valid_queries": metrics.valid_queries,
        "gallery": metrics.gallery,
    }


def _trial_as_dict(trial: TrialResult) -> dict:
    return {
        "trial": trial.trial,
        **metrics_as_dict(trial.metrics),
        "gallery_hash": trial.gallery_hash,
        "query_hash": trial.query_hash,
        **_verified(trial),
    }


def _verified(trial: TrialResult) -> dict:
    found = trial.verification
    return {} if found is None else {"verification": verification_as_dict(found)}


def _averages(trials: Sequence[Mapping]) -> dict:
    curves = mean_and_deviation([list(trial["cmc"].values()) for trial in trials])
    others = {
        field: mean_and_deviation([trial[field] for trial in trials]) for field in ("mAP", "mINP")
    }
    return {
        name: {"cmc": {str(k): float(value) for k, value in enumerate(curves[i], start=1)}}
        | {field: float(values[i]) for field, values in others.items()}
        | _averaged_verification(trials, i)
        for i, name in enumerate(("mean", "std"))
    }


def _averaged_verification(trials: Sequence[Mapping], which: int) -> dict:
    """Return the mean (0) or deviation (1) of the rates that all trials have."""
    rates = {
        place: float(mean_and_deviation(values)[which])
        for place, values in rates_of_trials(trials).items()
    }
    return {"verification": nested(rates)} if rates else {}


def mean_and_deviation(
    values: Sequence[float] | Sequence[Sequence[float]] | Float[np.ndarray, " n *shape"],
) -> tuple[Float[np.ndarray, "*shape"], Float[np.ndarray, "*shape"]]:
    """Return the mean of `n` values, or of `n` rows, and their sample standard deviation (n - 1).

    The deviation of a single value is 0.
    """
    values = np.asarray(values, np.float64)
    deviation = values.std(axis=0, ddof=1) if len(values) > 1 else np.zeros(values.shape[1:])
    return np.asarray(values.mean(axis=0)), np.asarray(deviation)


def title(result: Mapping) -> str:
    """Return a result's name: its protocol, then what departs from plain ranking."""
    return ", ".join([result["protocol"], *result["options"]])


def marked_title(result: Mapping) -> str:
    """Return a result's name with what readers must know of its data."""
    data, models = result.get("data", {}), result.get("models", {})
    marks = ["unofficial data"] if data.get("unofficial") else []
    if "trained_on" in data:
        marks.append(f"{data['dataset']}, trained on {_trained_on(data['trained_on'])}")
    if models and models["pooled"] < models["of"]:
        marks.append(f"{models['pooled']} of {models['of']} trials")
    return title(result) + (f" ({'; '.join(marks)})" if marks else "")


def _trained_on(trained: Mapping) -> str:
    trial = f" trial {trained['trial']}" if trained.get("trial") else ""
    return f"other data ({trained['dataset']}{trial})"


def _pooled_data(results: Sequence[Mapping]) -> dict:
    """Return what the pooled results' data have in common."""
    data = [result.get("data", {}) for result in results]
    if not all(data):
        return {}
    return {
        "data": {
            "dataset": data[0].get("dataset"),
            "official": all(one.get("official") for one in data),
            "unofficial": any(one.get("unofficial") for one in data),
            "counts": [one.get("counts") for one in data],
            "records_sha256": [one.get("records_sha256") for one in data],
        }
    }


def pool_trials(paths: Sequence[str | os.PathLike]) -> dict:
    """Return one result from several files of the same protocol, as for RegDB's ten models.

    Mean and standard deviation are over all trials, which are put in order.

    Raises:
        UserError: files that cannot be read, differ in protocol or options, or repeat a trial.
    """
    results = [read_result(path) for path in paths]
    if not results:
        raise UserError("no result files to pool", about="pool")
    problems = differences(paths, results) + _repeated_trials(paths, results)
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
        **_pooled_data(results),
        "trials": trials,
        **_averages(trials),
    }


def differences(paths: Sequence[str | os.PathLike], results: Sequence[Mapping]) -> list[Problem]:
    """Return how results differ from the first in what must agree to average them, by path."""
    first = results[0]
    return [
        Problem(
            os.fspath(path),
            f"{path}: {name} is {_short(result[name])}, in {paths[0]} {_short(first[name])}",
        )
        for path, result in zip(paths[1:], results[1:], strict=True)
        for name in MUST_AGREE
        if result[name] != first[name]
    ]


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _repeated_trials(
    paths: Sequence[str | os.PathLike], results: Sequence[Mapping]
) -> list[Problem]:
    seen, problems = {}, []
    for path, result in zip(paths, results, strict=True):
        for trial in result["trials"]:
            if trial["trial"] in seen:
                text = f"{path}: trial {trial['trial']}, as in {seen[trial['trial']]}"
                problems.append(Problem(os.fspath(path), text))
            seen.setdefault(trial["trial"], path)
    return problems


def read_result(path: str | os.PathLike) -> dict:
    """Read a result file.

    Raises:
        UserError: it cannot be read, or is not the result of one evaluation.
    """
    name = os.fspath(path)
    try:
        with open(path, encoding="utf-8") as file:
            result = json.load(file)
    except (OSError, ValueError) as error:
        raise UserError(f"{name} cannot be read as a result: {error}", about=name) from None
    fields = {*MUST_AGREE, "package", "checkpoint", "trials"}
    missing = sorted(fields - set(result)) if isinstance(result, dict) else sorted(fields)
    if missing:
        raise UserError(f"{name} is no single result: it lacks {', '.join(missing)}", about=name)
    return result


def markdown_table(results: Sequence[Mapping]) -> str:
    """Return a pipe table of means in percent, with the deviation of several trials after a ±."""
    several = any(len(result["trials"]) > 1 for result in results)
    name = "protocol (± sample standard deviation, n - 1)" if several else "protocol"
    header = [name, "trials", *(f"rank-{k}" for k in RANKS), "mAP", "mINP"]
    rows = [header, [":--", *["--:"] * (len(header) - 1)]]
    for result in results:
        cells = [_cell(result, field) for field in (*RANKS, "mAP", "mINP")]
        rows.append([marked_title(result), str(len(result["trials"])), *cells])
    return pipe_table(rows)


def _cell(result: Mapping, field: str | int) -> str:
    mean, spread = (100 * _value(result[name], field) for name in ("mean", "std"))
    return f"{mean:.2f} ± {spread:.2f}" if len(result["trials"]) > 1 else f"{mean:.2f}"


def _value(metrics: Mapping, field: str | int) -> float:
    if isinstance(field, str):
        return metrics[field]
    return metrics["cmc"][str(min(field, len(metrics["cmc"])))]


def cmc_csv(result: Mapping) -> str:
    """Return the CMC curve as CSV: rank, mean, standard deviation (n - 1), each trial's value."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    trials = result["trials"]
    writer.writerow(["rank", "mean", "std", *(f"trial_{trial['trial']}" for trial in trials)])
    for rank in result["mean"]["cmc"]:
        averages = [result[name]["cmc"][rank] for name in ("mean", "std")]
        writer.writerow([rank, *averages, *(trial["cmc"][rank] for trial in trials)])
    return text.getvalue()
