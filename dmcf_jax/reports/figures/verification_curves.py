"""ROC and DET curves of evaluated runs: which pairs are accepted as one person, at which error."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from dmcf_jax.errors import Problem, UserError
from dmcf_jax.evaluation.results import differences, marked_title, mean_and_deviation, read_result
from dmcf_jax.reports.figures.cmc_results import problems_of, result_files
from dmcf_jax.reports.figures.inputs import FigureInputs, FigureOptions
from dmcf_jax.reports.figures.plotting import (
    Table,
    caption,
    in_style,
    new_figure,
    save,
    series_style,
)

LOWEST = 1e-3  # share of the DET panel's vertical axis, which is logarithmic


def problems(inputs: FigureInputs, options: FigureOptions) -> list[Problem]:
    """Return why the curves cannot be drawn."""
    if found := inputs.problems() or problems_of(inputs.runs):
        return found
    return [
        Problem(str(file), f"{file} has no verification: run `dmcf evaluate --workdir={run}`")
        for run in inputs.runs
        for file in result_files(run).values()
        if "tpr_at_fpr" not in read_result(file)["mean"].get("verification", {})
    ]


@in_style
def draw(inputs: FigureInputs, options: FigureOptions, out: Path) -> list[Path]:
    """Draw TPR over FPR and FNMR over FMR of each protocol, with the equal error rates."""
    files = [result_files(run) for run in inputs.runs]
    results = {
        protocol: _read([by_protocol[protocol] for by_protocol in files]) for protocol in files[0]
    }
    figure = new_figure(9.0, 4.6)
    roc, det = figure.subplots(1, 2)
    table = Table("protocol", "fpr", "tpr_percent", "tpr_std_percent", "fnmr_percent", "averaged")
    for number, (protocol, found) in enumerate(results.items()):
        rates, values = _curves(found)
        mean, deviation = mean_and_deviation(values)
        equal = np.mean([result["mean"]["verification"]["eer"] for result in found])
        title = f"{marked_title(found[0])}: EER {100 * equal:.2f} %"
        _draw(roc, rates, mean, deviation, number, title)
        _draw(det, rates, np.maximum(1 - mean, LOWEST / 100), deviation, number, title)
        for rate, value, spread in zip(rates, mean, deviation, strict=True):
            row = [100 * value, 100 * spread, 100 * (1 - value)]
            table.add(protocol, rate, *row, len(values))
    _label(roc, "FPR (share of pairs of two people)", "TPR (share of pairs of one person)")
    _label(det, "FMR (share of pairs of two people)", "FNMR (share of pairs of one person)")
    roc.set_ylim(0, 1)
    det.set_yscale("log")
    det.set_ylim(LOWEST, 1)
    det.plot([LOWEST, 1], [LOWEST, 1], color="#666666", linewidth=0.8, zorder=1)
    figure.legend(*roc.get_legend_handles_labels(), loc="outside upper center", ncols=1)
    caption(
        figure,
        "Pairs of a query and a gallery image. Each point is exact; only rates that allow at least "
        "one pair of two people are drawn. Thin line: FNMR = FMR.",
    )
    return save(figure, out, "verification", table)


def _read(files: Sequence[Path]) -> list[dict[str, Any]]:
    results = [read_result(file) for file in files]
    if found := differences(files, results):
        raise UserError.listing("these results cannot be drawn as one curve:", found)
    return results


def _curves(results: Sequence[Mapping[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
    """Return the FPRs that all pairs can show, ascending, and TPRs: [trials or runs, rates]."""
    trials = [trial["verification"] for result in results for trial in result["trials"]]
    parts = trials
    if len(results) > 1:
        parts = [result["mean"]["verification"] for result in results]
    fewest = min(trial["different_person_pairs"] for trial in trials)
    names = sorted((name for name in parts[0]["tpr_at_fpr"]), key=float)
    names = [name for name in names if float(name) * fewest >= 1] or names[-1:]
    rates = np.array([float(name) for name in names])
    return rates, np.array([[part["tpr_at_fpr"][name] for name in names] for part in parts])


def _draw(
    axes: Axes, rates: np.ndarray, mean: np.ndarray, deviation: np.ndarray, number: int, title: str
) -> None:
    style = series_style(number)
    axes.plot(rates, mean, label=title, markersize=3.5, linewidth=1.6, **style)
    if deviation.any():
        axes.fill_between(
            rates, mean - deviation, mean + deviation, color=style["color"], alpha=0.15, linewidth=0
        )


def _label(axes: Axes, across: str, upwards: str) -> None:
    axes.set_xscale("log")
    axes.set_xlabel(across)
    axes.set_ylabel(upwards)
