"""Figures 3 and 4: CMC curves of methods beside the paper's, and of an experiment's variants."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from dmcf_jax.errors import Problem
from dmcf_jax.methods import METHODS
from dmcf_jax.methods.dmcf.published import (
    BASELINE_ROW,
    COMPLETE,
    ROW_OF,
    TABLE_1,
    TABLE_ROWS,
    Scores,
    printed,
    title_of,
)
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
from dmcf_jax.runs.folder import read_config

TABLE_1_SHOWN = "Thin lines join the values of the paper's table 1 at ranks 1, 10 and 20."
HOLLOW = "Hollow marks: rank-1 of the paper's tables 2 and 3."
PUBLISHED_X = -1  # where the hollow marks are drawn: left of the curves, which start at rank 1
# Figure 4's order: the paper's.
ROWS = tuple(dict.fromkeys([BASELINE_ROW, *TABLE_ROWS[2], *TABLE_ROWS[3]]))
ABLATIONS = frozenset(ROWS) - {BASELINE_ROW, COMPLETE}
SINGLE = "ours"  # what the CSV of figure 3 calls the series of a single run


def methods_problems(inputs: FigureInputs, options: FigureOptions) -> list[Problem]:
    """Return why figure 3 cannot be drawn."""
    methods = _methods(inputs)
    if not methods:
        return inputs.problems()
    return problems_of([run for runs in methods.values() for run in runs])


@in_style
def draw_methods(inputs: FigureInputs, options: FigureOptions, out: Path) -> list[Path]:
    """Draw figure 3: the curves of every method that was run, and the paper's table 1.

    Published values appear where data and protocol are those of the paper.
    """
    table = new_table()
    by_row = {row: read_curves(runs) for row, runs in _methods(inputs).items()}
    first = next(iter(by_row.values()))
    figure, panels = new_panels(first)
    for number, (row, curves) in enumerate(by_row.items()):
        style = series_style(number) | {"linewidth": 2.4, "zorder": 5}
        for protocol, curve in curves.items():
            label = series_label(f"{_title(inputs, row)} (dmcf_jax)", curve)
            draw_curve(panels[protocol], curve, label, **style)
            add_curve(table, protocol, row, curve)
    every = [curve for curves in by_row.values() for curve in curves.values()]
    for protocol in first:
        datasets = {curves[protocol].dataset for curves in by_row.values()}
        published = _by_rank_1(TABLE_1.get(datasets.pop(), {})) if len(datasets) == 1 else {}
        for number, (name, scores) in enumerate(published.items()):
            _draw_published(panels[protocol], name, scores, number)
            add_published(table, protocol, name, scores)
    add_legends(figure, panels, every, TABLE_1_SHOWN)
    return save(figure, out, "figure_3_cmc", table)


def _methods(inputs: FigureInputs) -> dict[str, list[Path]]:
    """Return the runs by row: of all rows but the ablations, the paper's method first."""
    if not inputs.rows:
        return {SINGLE: [inputs.workdir]}
    order = [COMPLETE, *ROW_OF, *inputs.rows]
    return {row: inputs.rows[row] for row in order if row in inputs.rows and row not in ABLATIONS}


def _title(inputs: FigureInputs, row: str) -> str:
    if row != SINGLE:
        return title_of(row)
    config = read_config(inputs.workdir)
    return title_of(config["variant"]) or METHODS[config["method.name"]].title


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
            published = printed(curve.dataset, row)
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
