"""Evaluations of runs taken together: one CMC curve, its spread, and what may stand beside it."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from dmcf_jax.data.datasets import DATASETS
from dmcf_jax.errors import UserError
from dmcf_jax.evaluation.results import read_result
from dmcf_jax.methods.dmcf.published import PROTOCOL
from dmcf_jax.runs import folder as run_folder

MUST_AGREE = ("protocol", "options", "metric", "max_rank")


@dataclasses.dataclass(frozen=True)
class Curve:
    """A CMC curve in percent.

    Attributes:
        mean, spread: at ranks 1 to r; the spread is one standard deviation (divisor n - 1),
            as in the tables of experiments; 0 for a single curve.
        count, over: how many curves were averaged, and of what: 'trial' or 'run'.
        mAP: mean average precision.
        counts: what a rank counts, images or people (distinct identities).
        options: post-processing that the results were made with.
        dataset: its name, where the data are official and the protocol is the paper's; else ''.
    """

    mean: Float[np.ndarray, " r"]
    spread: Float[np.ndarray, " r"]
    count: int
    over: str
    mAP: float
    counts: str
    options: tuple[str, ...]
    dataset: str

    @property
    def ranks(self) -> np.ndarray:
        """1 to r."""
        return np.arange(1, len(self.mean) + 1)

    @property
    def counted(self) -> str:
        """'3 runs', for a legend."""
        return f"{self.count} {self.over}{'s' if self.count > 1 else ''}"


def result_files(run: Path) -> dict[str, Path]:
    """Return where the usual protocols' results of a run lie, by protocol."""
    name = run_folder.read_config(run)["data.name"]
    return {
        protocol: run / "evaluation" / f"{protocol}.json" for protocol in DATASETS[name].protocols
    }


def problems_of(runs: Sequence[Path]) -> list[str]:
    """Return what is in the way of curves of `runs`: a command for each that is not evaluated."""
    problems = []
    for run in runs:
        missing = [name for name, file in result_files(run).items() if not file.exists()]
        if missing:
            problems.append(
                f"{run} is not evaluated by {', '.join(missing)}: run dmcf evaluate --workdir={run}"
            )
    return problems


def curves_of(runs: Sequence[Path]) -> dict[str, Curve]:
    """Return the mean curve of `runs` by protocol.

    Of one run the spread is over its trials, of several over the runs' means.

    Raises:
        UserError: results that cannot be read, or were not made in the same way.
    """
    files = [result_files(run) for run in runs]
    return {protocol: _curve([each[protocol] for each in files]) for protocol in files[0]}


def _curve(files):
    results = [read_result(file) for file in files]
    _refuse_differences(files, results)
    trials = results[0]["trials"]
    parts = trials if len(results) == 1 else [result["mean"] for result in results]
    curves = 100 * np.array([list(part["cmc"].values()) for part in parts])
    return Curve(
        mean=curves.mean(axis=0),
        spread=curves.std(axis=0, ddof=1) if len(parts) > 1 else np.zeros(curves.shape[1]),
        count=len(parts),
        over="trial" if len(results) == 1 else "run",
        mAP=100 * float(np.mean([part["mAP"] for part in parts])),
        counts={"image": "images", "identity": "people"}[results[0]["definition"]["cmc"]],
        options=tuple(results[0]["options"]),
        dataset=_comparable(results),
    )


def _refuse_differences(files, results):
    differences = [
        f"{file}: {name} is {result[name]}, in {files[0]} {results[0][name]}"
        for file, result in zip(files, results, strict=True)
        for name in MUST_AGREE
        if result[name] != results[0][name]
    ]
    if differences:
        raise UserError.listing("these results cannot be drawn as one curve:", differences)


def _comparable(results: Sequence[Mapping[str, Any]]) -> str:
    """Return the data set whose published figures may stand beside all of `results`, or ''."""
    facts = [result.get("data", {}) for result in results]
    name = facts[0].get("dataset", "")
    official = all(each.get("official") and each.get("dataset") == name for each in facts)
    return name if official and results[0]["protocol"] == PROTOCOL.get(name) else ""
