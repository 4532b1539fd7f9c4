"""Figure 6: sigma of eq. 15 and the weights that it gives the levels, over training."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes

from dmcf_jax.config.starts import weighting_start
from dmcf_jax.errors import Problem, UserError
from dmcf_jax.evaluation.results import mean_and_deviation
from dmcf_jax.methods import METHODS
from dmcf_jax.methods.dmcf.published import SIGMA_RATIO
from dmcf_jax.reports.figures.inputs import FigureInputs, FigureOptions
from dmcf_jax.reports.figures.plotting import (
    COLOURS,
    PALE,
    Table,
    caption,
    in_style,
    new_figure,
    save,
)
from dmcf_jax.runs.metrics_log import read_metrics, reading_order

# Line styles of the levels, low to high; '--' marks the start of the weighting.
LINES = ("-", (0, (1, 1)), "-.", (0, (6, 1, 1, 1, 1, 1)))


@dataclasses.dataclass(frozen=True)
class Sigmas:
    """Sigmas of one or several runs, at the steps that all of them logged.

    Attributes:
        levels: names, low to high.
        steps: number of updates done.
        values: by run, step and level; NaN where a run logged a value that was not finite.
    """

    levels: tuple[str, ...]
    steps: Int[np.ndarray, " s"]
    values: Float[np.ndarray, "r s l"]

    @property
    def weights(self) -> Float[np.ndarray, "r s l"]:
        """The factor 1 / (2 sigma^2) of each level's loss in eq. 15, in the order of `values`."""
        return 1 / (2 * self.values**2)

    @property
    def ratios(self) -> Float[np.ndarray, "r l"]:
        """Each run's last sigmas divided by its last sigma of the highest level."""
        return self.values[:, -1] / self.values[:, -1, -1:]

    @property
    def weight_ratios(self) -> Float[np.ndarray, "r l"]:
        """Each run's last weights divided by its last weight of the highest level."""
        return self.weights[:, -1] / self.weights[:, -1, -1:]


def problems(inputs: FigureInputs, options: FigureOptions) -> list[Problem]:
    """Return why figure 6 cannot be drawn."""
    if found := inputs.problems():
        return found
    name = inputs.config.method.name
    if not METHODS[name].reads_field("mtl.enabled"):
        text = f"{inputs.runs[0]} learns no sigma: its method is {name}"
        return [Problem("method.name", text)]
    if not inputs.config.mtl.enabled:
        text = f"{inputs.runs[0]} learns no sigma: it was trained with mtl.enabled=False"
        return [Problem("mtl.enabled", text)]
    logs = [run / "metrics.jsonl" for run in inputs.runs]
    return [
        Problem(str(log), f"{log} has no logged step yet: train for longer")
        for log in logs
        if not log.exists() or log.stat().st_size == 0
    ]


def read_sigmas(runs: Sequence[Path]) -> Sigmas:
    """Return what the runs logged.

    Raises:
        UserError: runs that share no logged step, or differ in their levels.
    """
    logs = [{line["step"]: line for line in read_metrics(run / "metrics.jsonl")} for run in runs]
    names = [_sigma_names(next(iter(log.values()))) for log in logs]
    steps = sorted(set.intersection(*(set(log) for log in logs)))
    if not steps or any(other != names[0] for other in names):
        listed = [Problem(str(run), str(run)) for run in runs]
        raise UserError.listing("these runs share no logged step or differ in levels:", listed)
    values = [[[log[step][name] for name in names[0]] for step in steps] for log in logs]
    levels = tuple(name.removeprefix("sigma_") for name in names[0])
    return Sigmas(levels, np.array(steps), np.array(values, float))  # null becomes NaN


def _sigma_names(line: Mapping[str, Any]) -> list[str]:
    return sorted((name for name in line if name.startswith("sigma_")), key=reading_order)


@in_style
def draw(inputs: FigureInputs, options: FigureOptions, out: Path) -> list[Path]:
    """Draw every level's sigma and weight over the steps; of several runs mean and deviation.

    The titles give the final ratios with the highest level as 1. The paper's ratio is compared
    with both: its text calls the three numbers noise parameters, which are sigmas, the caption of
    its figure weight factors.
    """
    sigmas, config = read_sigmas(inputs.runs), inputs.config
    published = _published(inputs, sigmas)
    figure = new_figure(11.0, 4.4)
    left, right = figure.subplots(1, 2)
    _draw_panel(left, sigmas, sigmas.values, "σ", _title("σ", sigmas, sigmas.ratios, published))
    left.set_ylabel("σ of the level's loss, eq. 15 (no unit)")
    title = _title("1/(2σ²)", sigmas, sigmas.weight_ratios, published)
    _draw_panel(right, sigmas, sigmas.weights, "1/(2σ²)", title)
    right.set_ylabel("weight 1/(2σ²) of the level's loss, eq. 15 (no unit)")
    for axes in (left, right):
        _mark_start(axes, weighting_start(config))
    caption(figure, _caption(sigmas, config.train.steps))
    return save(figure, out, "figure_6_sigma", _tables(sigmas, inputs.runs, published))


def _mark_start(axes: Axes, step: int) -> None:
    axes.axvline(step, color=PALE, linestyle="--", linewidth=1)
    axes.annotate(
        f" weighting starts: step {step}", (step, 1), (0, -3), xycoords=axes.get_xaxis_transform(),
        textcoords="offset points", va="top", fontsize=8, color="#333333",
    )  # fmt: skip


def _draw_panel(
    axes: Axes, sigmas: Sigmas, values: Float[np.ndarray, "r s l"], symbol: str, title: str
) -> None:
    for number, level in enumerate(sigmas.levels):
        mean, deviation = mean_and_deviation(values[..., number])  # of [runs steps], over runs
        label = f"{symbol} {level} (final {mean[-1]:.2f})"
        colour = COLOURS[number]
        style = {"color": colour, "linestyle": LINES[number], "linewidth": 1.8}
        axes.plot(sigmas.steps, mean, label=label, **style)
        if len(values) > 1:
            low, high = mean - deviation, mean + deviation
            axes.fill_between(sigmas.steps, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.set_xlabel("training step (number of updates)")
    axes.set_title(title, loc="left")
    axes.legend(loc="best")


def _title(
    symbol: str,
    sigmas: Sigmas,
    ratios: Float[np.ndarray, "r l"],
    published: Sequence[float] | None,
) -> str:
    names, ratio = " : ".join(sigmas.levels), _spelled(ratios.mean(axis=0))
    title = f"{symbol} {names} = {ratio} after step {sigmas.steps[-1]}"
    return title + (f"\npaper: {_spelled(published)}" if published else "")


def _spelled(ratio: Sequence[float] | np.ndarray) -> str:
    return " : ".join(f"{value:.3g}" for value in ratio)


def _caption(sigmas: Sigmas, steps: int) -> str:
    parts = []
    if (runs := len(sigmas.values)) > 1:
        parts.append(
            f"Mean of {runs} runs ± one standard deviation (divisor n - 1).  The ratio is the mean "
            "of the runs' ratios."
        )
    if (last := int(sigmas.steps[-1])) < steps:
        parts.append(f"Training is at step {last} of {steps}.")
    return "  ".join(parts)


def _published(inputs: FigureInputs, sigmas: Sigmas) -> tuple[float, ...] | None:
    """Return the paper's ratio if data and levels are the paper's."""
    ratio = SIGMA_RATIO.get(inputs.config.data.name)
    if not ratio or sigmas.levels != ("low", "middle", "high"):
        return None
    try:
        return ratio if inputs.metadata()["official"] else None
    except UserError:
        return None  # without the prepared data nothing shows that they are the paper's


def _tables(
    sigmas: Sigmas, runs: Sequence[Path], published: Sequence[float] | None
) -> dict[str, Table]:
    """Return the curves, and the final ratios under the file name suffix '_ratio'."""
    curves = Table("run", "step", *(f"sigma_{level}" for level in sigmas.levels))
    last = sigmas.levels[-1]
    columns = (f"{n}_{level}_over_{last}" for n in ("sigma", "weight") for level in sigmas.levels)
    ratios = Table("run", *columns)
    both = np.concatenate([sigmas.ratios, sigmas.weight_ratios], axis=1)
    for run, values, ratio in zip(runs, sigmas.values, both, strict=True):
        for step, row in zip(sigmas.steps, values, strict=True):
            curves.add(run.name, step, *row)
        ratios.add(run.name, *ratio)
    ratios.add("mean", *both.mean(axis=0))
    if published:
        ratios.add("paper", *published, *published)
    return {"": curves, "_ratio": ratios}
