"""Figure 6: the learned weights of the levels, sigma of eq. 15, over training."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from ml_collections import ConfigDict

from dmcf_jax.config.validate import weighting_start
from dmcf_jax.errors import UserError
from dmcf_jax.methods.dmcf.published import SIGMA_RATIO
from dmcf_jax.reports.figures.canvas import COLOURS, PALE, Table, blank, caption, in_style, save
from dmcf_jax.reports.figures.material import Choices, Material
from dmcf_jax.runs.metrics_log import read_metrics, reading_order

# Of levels, low to high; dashed is where the weighting starts.
LINES = ("-", (0, (1, 1)), "-.", (0, (6, 1, 1, 1, 1, 1)))


@dataclasses.dataclass(frozen=True)
class Sigmas:
    """Sigmas of one run or of several, at the steps that all of them logged.

    Attributes:
        levels: names, low to high.
        steps: number of updates done.
        values: by run, step and level; NaN where a run logged none.
    """

    levels: tuple[str, ...]
    steps: Int[np.ndarray, " s"]
    values: Float[np.ndarray, "r s l"]

    @property
    def ratios(self) -> Float[np.ndarray, "r l"]:
        """Each run's last sigmas over its last sigma of the highest level."""
        return self.values[:, -1] / self.values[:, -1, -1:]


def problems(material: Material, choices: Choices) -> list[str]:
    """Return what is in the way of figure 6."""
    if found := material.problems():
        return found
    if not material.config.mtl.enabled:
        return [f"{material.runs[0]} adds its levels plainly (mtl.enabled=False): no sigma learns"]
    logs = [run / "metrics.jsonl" for run in material.runs]
    return [f"{log} holds no logged step yet: train further" for log in logs if not _has_lines(log)]


def _has_lines(log):
    return log.exists() and log.stat().st_size > 0


def read_sigmas(runs: Sequence[Path]) -> Sigmas:
    """Return what the runs logged.

    Raises:
        UserError: runs that share no logged step, or differ in their levels.
    """
    logs = [{line["step"]: line for line in read_metrics(run / "metrics.jsonl")} for run in runs]
    names = [
        sorted((k for k in next(iter(log.values())) if k.startswith("sigma_")), key=reading_order)
        for log in logs
    ]
    steps = sorted(set.intersection(*(set(log) for log in logs)))
    if not steps or any(each != names[0] for each in names):
        listed = [str(run) for run in runs]
        raise UserError.listing("these runs share no logged step or differ in levels:", listed)
    values = [[[log[step][name] for name in names[0]] for step in steps] for log in logs]
    levels = tuple(name.removeprefix("sigma_") for name in names[0])
    return Sigmas(levels, np.array(steps), np.array(values, float))  # null becomes NaN


@in_style
def draw(material: Material, choices: Choices, out: Path) -> list[Path]:
    """Draw every level's sigma over the steps; of several runs the mean and one deviation.

    The title gives the final ratio with the highest level as 1, as the paper does.
    """
    sigmas, config = read_sigmas(material.runs), material.config
    published = _published(material, sigmas)
    figure = blank(6.4, 4.4)
    axes = figure.add_subplot()
    for number, level in enumerate(sigmas.levels):
        _draw_level(axes, sigmas, number, level)
    start = weighting_start(config)
    axes.axvline(start, color=PALE, linestyle="--", linewidth=1)
    axes.annotate(
        f" weighting starts: step {start}", (start, 1), (0, -3), xycoords=_top(axes),
        textcoords="offset points", va="top", fontsize=8, color="#333333",
    )  # fmt: skip
    axes.set_xlabel("training step (number of updates)")
    axes.set_ylabel("σ of the level's loss, eq. 15 (no unit)")
    axes.set_title(_title(sigmas, published), loc="left")
    axes.legend(loc="best")
    caption(figure, _caption(sigmas, config))
    return save(figure, out, "figure_6_sigma", _tables(sigmas, material.runs, published))


def _top(axes):
    return axes.get_xaxis_transform()


def _draw_level(axes, sigmas, number, level):
    values = sigmas.values[..., number]
    mean = values.mean(axis=0)
    colour = COLOURS[number]
    (line,) = axes.plot(sigmas.steps, mean, color=colour, linestyle=LINES[number], linewidth=1.8)
    line.set_label(f"σ {level} (ends at {mean[-1]:.2f})")
    if len(sigmas.values) > 1:
        spread = values.std(axis=0, ddof=1)
        axes.fill_between(
            sigmas.steps, mean - spread, mean + spread, color=colour, alpha=0.15, linewidth=0
        )


def _title(sigmas, published):
    names, ratio = " : ".join(sigmas.levels), _spelled(sigmas.ratios.mean(axis=0))
    title = f"σ {names} = {ratio} after step {sigmas.steps[-1]}"
    return title + (f"\npaper: {_spelled(published)}" if published else "")


def _spelled(ratio):
    return " : ".join(f"{value:.3g}" for value in ratio)


def _caption(sigmas: Sigmas, config: ConfigDict) -> str:
    parts = []
    if (runs := len(sigmas.values)) > 1:
        parts.append(f"Mean of {runs} runs and one standard deviation; ratio: mean of theirs.")
    if (last := int(sigmas.steps[-1])) < config.train.steps:
        parts.append(f"Training is at step {last} of {config.train.steps}.")
    return "  ".join(parts)


def _published(material: Material, sigmas: Sigmas) -> tuple[float, ...] | None:
    """Return the paper's ratio, where data are the paper's and levels too."""
    ratio = SIGMA_RATIO.get(material.config.data.name)
    if not ratio or sigmas.levels != ("low", "middle", "high"):
        return None
    try:
        return ratio if material.metadata()["official"] else None
    except UserError:
        return None  # the run was copied without its data: nothing says that they are the paper's


def _tables(sigmas, runs, published):
    curves = Table("run", "step", *(f"sigma_{level}" for level in sigmas.levels))
    ratios = Table("run", *(f"sigma_{level}_over_{sigmas.levels[-1]}" for level in sigmas.levels))
    for run, values, ratio in zip(runs, sigmas.values, sigmas.ratios, strict=True):
        for step, row in zip(sigmas.steps, values, strict=True):
            curves.add(run.name, step, *row)
        ratios.add(run.name, *ratio)
    ratios.add("mean", *sigmas.ratios.mean(axis=0))
    if published:
        ratios.add("paper", *published)
    return {"": curves, "_ratio": ratios}
