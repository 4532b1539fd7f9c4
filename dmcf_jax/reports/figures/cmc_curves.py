"""Figures 3 and 4: CMC curves of a run beside the paper's, and of an experiment's variants."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from dmcf_jax.errors import Problem
from dmcf_jax.methods.dmcf.published import TABLE_1, TABLE_ROWS, VARIANTS, Scores
from dmcf_jax.reports.figures.cmc_panels import (
    TICKS,
    add_curve,
    add_legends,
    add_published,
    draw_curve,
    new_panels,
    new_table,
    points,
    series_label,
)
from dmcf_jax.reports.figures.cmc_results import problems_of, read_curves
from dmcf_jax.reports.figures.inputs import FigureInputs, FigureOptions
from dmcf_jax.reports.figures.plotting import COLOURS, in_style, save, series_style

TABLE_1_SHOWN = "Thin lines join the values of the paper's table 1 at ranks 1, 10 and 20."
HOLLOW = "Hollow marks: rank-1 of the paper's tables 2 and 3."
PUBLISHED_X = -1  # where the hollow marks are drawn: left of the curves, which start at rank 1
ROWS = tuple(dict.fromkeys([*TABLE_ROWS[2], *TABLE_ROWS[3]]))


def methods_problems(inputs: FigureInputs, options: FigureOptions) -> list[Problem]:
    """Return why figure 3 cannot be drawn."""
    return inputs.problems() or problems_of(inputs.runs)


@in_style
def draw_methods(inputs: FigureInputs, options: FigureOptions, out: Path) -> list[Path]:
    """Draw figure 3: the measured curve by each default protocol, and the paper's table 1.

    Published values appear where data and protocol are those of the paper.
    """
    table, curves = new_table(), read_curves(inputs.runs)
    figure, panels = new_panels(curves)
    for protocol, curve in curves.items():
        label = series_label("DMCF (dmcf_jax)", curve)
        style = {"color": COLOURS[0], "marker": "o", "linewidth": 2.4, "zorder": 5}
        draw_curve(panels[protocol], curve, label, **style)
        add_curve(table, protocol, "ours", curve)
        published = _by_rank_1(TABLE_1.get(curve.dataset, {}))
        for number, (name, scores) in enumerate(published.items()):
            _draw_published(panels[protocol], name, scores, number)
            add_published(table, protocol, name, scores)
    add_legends(figure, panels, curves.values(), TABLE_1_SHOWN)
    return save(figure, out, "figure_3_cmc", table)


def _by_rank_1(published: Mapping[str, Scores]) -> dict[str, Scores]:
    return dict(sorted(published.items(), key=lambda item: -item[1].cmc_1))


def _draw_published(axes: Axes, name: str, scores: Scores, number: int) -> None:
    """Draw the printed values; the thin lines between them only guide the eye."""
    style = series_style(number, COLOURS[1:])
    style |= {"linewidth": 0.8, "markersize": 4.5, "alpha": 0.85}
    if name.startswith("DMCF"):
        style |= {"color": "black", "marker": "*", "markersize": 10, "zorder": 6}
    printed = points(scores)
    axes.plot([*printed], [*printed.values()], label=f"{name} ({scores.cmc_1:g} %)", **style)


def variants_problems(inputs: FigureInputs, options: FigureOptions) -> list[Problem]:
    """Return why figure 4 cannot be drawn."""
    if not inputs.rows:
        text = (
            f"{inputs.workdir} is a single run: the curves of the variants need the folder of an "
            "experiment, see `dmcf experiments`"
        )
        return [Problem("--workdir", text)]
    return problems_of([run for runs in inputs.rows.values() for run in runs])


@in_style
def draw_variants(inputs: FigureInputs, options: FigureOptions, out: Path) -> list[Path]:
    """Draw figure 4: the mean curve of each row of the experiment, with its standard deviation.

    Rank-1 of the paper's tables 2 and 3 appears as hollow marks where data and protocol are the
    paper's.
    """
    rows = sorted(inputs.rows, key=_papers_order)
    by_row = {row: read_curves(inputs.rows[row]) for row in rows}
    table = new_table()
    figure, panels = new_panels(by_row[rows[0]])
    for number, (row, curves) in enumerate(by_row.items()):
        for protocol, curve in curves.items():
            style = series_style(number)
            draw_curve(panels[protocol], curve, series_label(row, curve), **style, linewidth=1.4)
            add_curve(table, protocol, row, curve)
            published = VARIANTS.get(curve.dataset, {}).get(row)
            if published:
                _draw_hollow(panels[protocol], published, style)
                add_published(table, protocol, row, published)
    every = [curve for curves in by_row.values() for curve in curves.values()]
    add_legends(figure, panels, every, HOLLOW)
    return save(figure, out, "figure_4_variants", table)


def _papers_order(row: str) -> tuple[int, str]:
    """Return a sorting key: rows of the paper in its order, then others by name."""
    return (ROWS.index(row) if row in ROWS else len(ROWS), row)


def _draw_hollow(axes: Axes, scores: Scores, style: Mapping[str, Any]) -> None:
    hollow = {"linestyle": "", "markersize": 7, "markerfacecolor": "none", "markeredgewidth": 1.4}
    axes.plot([PUBLISHED_X], [scores.cmc_1], **{**style, **hollow})
    axes.set_xticks([PUBLISHED_X, *TICKS], ["paper", *map(str, TICKS)])
