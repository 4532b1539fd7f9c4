"""Losses, distances, active triplets and spread over training: whether features stay apart."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes

from dmcf_jax.errors import Problem
from dmcf_jax.reports.figures.inputs import FigureInputs, FigureOptions
from dmcf_jax.reports.figures.plotting import (
    DASHES,
    PALE,
    Table,
    caption,
    in_style,
    new_figure,
    save,
)
from dmcf_jax.runs.metrics_log import read_metrics
from dmcf_jax.runs.summary import read_summary, summary_lines

PANELS = (
    (("L",), "loss term, eq. 8-11 (nats; triplets: distance)"),
    (("distance_own_", "distance_other_"), "distance to own and other people"),
    (("active_",), "share of active triplets (0 to 1)"),
    (("spread_",), "spread: deviation / mean length (no unit)"),
)


def problems(inputs: FigureInputs, options: FigureOptions) -> list[Problem]:
    """Return why the figure cannot be drawn."""
    if found := inputs.problems():
        return found
    log = inputs.runs[0] / "metrics.jsonl"
    lines = read_metrics(log) if log.exists() else []
    if lines and any(name.startswith("spread_") for name in lines[0]):
        return []
    reason = "was written by an older version" if lines else "has no logged step yet"
    return [Problem(str(log), f"{log} {reason}: it has no distances and spreads of features")]


def draw(inputs: FigureInputs, options: FigureOptions, out: Path) -> list[Path]:
    """Draw the figure of the first run."""
    return health_curves(inputs.runs[0], out)


@in_style
def health_curves(run: Path, out: Path) -> list[Path]:
    """Draw losses and the statistics of the triplet features of a run over its steps.

    Args:
        run: the folder.
        out: folder of `health_curves.png`, `.svg` and `.csv`.
    """
    lines, summary = read_metrics(run / "metrics.jsonl"), read_summary(run)
    figure = new_figure(15.0, 4.5)
    names = []
    for axes, (prefixes, label) in zip(figure.subplots(1, len(PANELS)), PANELS, strict=True):
        in_panel = [name for name in lines[0] if name.startswith(prefixes)]
        names += in_panel
        _draw_panel(axes, lines, in_panel, label)
        for alarm in summary["alarms"] if summary else ():
            axes.axvline(alarm["since"], color=PALE, linestyle=":", linewidth=1)
    if summary:
        caption(figure, "Alarms (dotted: since which step): " + summary_lines(summary)[0] + ".")
    table = Table("step", *names)
    for line in lines:
        table.add(line["step"], *(line[name] for name in names))
    return save(figure, out, "health_curves", table)


def _draw_panel(
    axes: Axes, lines: Sequence[Mapping[str, Any]], names: Sequence[str], label: str
) -> None:
    steps = [line["step"] for line in lines]
    colours = colormaps["viridis"](np.linspace(0, 0.85, len(names)))
    for number, (name, colour) in enumerate(zip(names, colours, strict=True)):
        values = np.array([line[name] for line in lines], float)  # None becomes NaN: a gap
        dashes = DASHES[number % len(DASHES)]
        short = name.removeprefix("distance_").replace("_", " ")
        axes.plot(steps, values, label=short, color=colour, linestyle=dashes, linewidth=1.3)
    axes.set_xlabel("training step (number of updates)")
    axes.set_ylabel(label)
    axes.legend(fontsize=8, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.15))
