"""CMC curves of evaluated runs: mean, standard deviation, and whether they compare to the paper."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from dmcf_jax.data.datasets import DATASETS
from dmcf_jax.errors import Problem, UserError
from dmcf_jax.evaluation.results import differences, mean_and_deviation, read_result
from dmcf_jax.methods.dmcf.published import PROTOCOL
from dmcf_jax.runs import folder as run_folder


@dataclasses.dataclass(frozen=True)
class Curve:
    """A CMC curve in percent.

    Attributes:
        mean, deviation: at ranks 1 to r; the standard deviation has divisor n - 1 and is 0 for a
            single curve.
        count, over: how many curves were averaged, and of what: 'trial' or 'run'.
        mAP: mean average precision.
        counts: what a rank counts, 'images' or 'people' (distinct identities).
        options: post-processing that the results were made with.
        dataset: its name, where the data are official and the protocol is the paper's; else ''.
    """

    mean: Float[np.ndarray, " r"]
    deviation: Float[np.ndarray, " r"]
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
        """What was averaged, for a legend, such as '3 runs'."""
        return f"{self.count} {self.over}{'s' if self.count > 1 else ''}"


def result_files(run: Path) -> dict[str, Path]:
    """Return the paths of a run's results by the default protocols of its data set."""
    name = run_folder.read_config(run)["data.name"]
    return {
        protocol: run / "evaluation" / f"{protocol}.json" for protocol in DATASETS[name].protocols
    }


def problems_of(runs: Sequence[Path]) -> list[Problem]:
    """Return the runs that are not evaluated, each with the command that does it."""
    problems = []
    for run in runs:
        missing = [name for name, file in result_files(run).items() if not file.exists()]
        if missing:
            command = f"dmcf evaluate --workdir={run}"
            text = f"{run} is not evaluated by {', '.join(missing)}: run `{command}`"
            problems.append(Problem(str(run), text))
    return problems


def read_curves(runs: Sequence[Path]) -> dict[str, Curve]:
    """Return the curve of `runs` by protocol, see `curve_of`.

    Raises:
        UserError: results that cannot be read, or were not made in the same way.
    """
    files = [result_files(run) for run in runs]
    return {protocol: _read_curve([by[protocol] for by in files]) for protocol in files[0]}


def _read_curve(files: Sequence[Path]) -> Curve:
    results = [read_result(file) for file in files]
    if problems := differences(files, results):
        raise UserError.listing("these results cannot be drawn as one curve:", problems)
    return curve_of(results)


def curve_of(results: Sequence[Mapping[str, Any]]) -> Curve:
    """Return the mean curve of results that were made in the same way.

    The deviation of one result is taken over its trials, of several over their means.
    """
    over, parts = "run", [result["mean"] for result in results]
    if len(results) == 1:
        over, parts = "trial", results[0]["trials"]
    curves = 100 * np.array([list(part["cmc"].values()) for part in parts])  # [parts r]
    mean, deviation = mean_and_deviation(curves)
    return Curve(
        mean=mean,
        deviation=deviation,
        count=len(parts),
        over=over,
        mAP=100 * float(np.mean([part["mAP"] for part in parts])),
        counts={"image": "images", "identity": "people"}[results[0]["definition"]["cmc"]],
        options=tuple(results[0]["options"]),
        dataset=_comparable(results),
    )


def _comparable(results: Sequence[Mapping[str, Any]]) -> str:
    """Return the data set whose published values may be shown beside all of `results`, or ''."""
    metadata = [result.get("data", {}) for result in results]
    name = metadata[0].get("dataset", "")
    official = all(data.get("official") and data.get("dataset") == name for data in metadata)
    return name if official and results[0]["protocol"] == PROTOCOL.get(name) else ""
