"""Figures 3 and 4: CMC curves of our method beside the paper's table 1, and of its variants."""

from pathlib import Path

from dmcf_jax.methods.dmcf.published import TABLE_1, TABLE_ROWS, VARIANTS
from dmcf_jax.reports.figures.canvas import COLOURS, dashes, in_style, save
from dmcf_jax.reports.figures.cmc_panels import (
    TICKS,
    add_curve,
    add_published,
    draw_curve,
    finish,
    new_table,
    panels_of,
    points,
)
from dmcf_jax.reports.figures.cmc_results import curves_of, problems_of
from dmcf_jax.reports.figures.material import Choices, Material

TABLE_1_SHOWN = "Thin lines join what the paper prints at ranks 1, 10 and 20, for one protocol."
HOLLOW = "Hollow marks: rank-1 that the paper prints, for one protocol."
BESIDE = -1  # place of published rank-1
ROWS = tuple(dict.fromkeys([*TABLE_ROWS[2], *TABLE_ROWS[3]]))


def methods_problems(material: Material, choices: Choices) -> list[str]:
    """Return what is in the way of figure 3."""
    return material.problems() or problems_of(material.runs)


@in_style
def draw_methods(material: Material, choices: Choices, out: Path) -> list[Path]:
    """Draw figure 3: our curve for each usual protocol and the paper's points at ranks 1, 10, 20.

    Published values appear where data and protocol are those of the paper.
    """
    table, curves = new_table(), curves_of(material.runs)
    figure, panels = panels_of(curves)
    for protocol, curve in curves.items():
        draw_curve(panels[protocol], curve, "ours", **_ours())
        add_curve(table, protocol, "ours", curve)
        for number, (name, scores) in enumerate(_by_rank_1(TABLE_1.get(curve.dataset, {}))):
            _draw_published(panels[protocol], name, scores, number)
            add_published(table, protocol, name, scores)
    finish(figure, panels, curves.values(), TABLE_1_SHOWN)
    return save(figure, out, "figure_3_cmc", table)


def _by_rank_1(published):
    return sorted(published.items(), key=lambda item: -item[1].cmc_1)


def _ours():
    return {"color": COLOURS[0], "marker": "o", "linewidth": 2.4, "zorder": 5}


def _draw_published(axes, name, scores, number):
    """Draw points at the ranks printed; the thin line only leads the eye from one to the next."""
    style = dashes(number, COLOURS[1:]) | {"linewidth": 0.8, "markersize": 4.5, "alpha": 0.85}
    ours = name.startswith("DMCF")
    style |= {"color": "black", "marker": "*", "markersize": 10, "zorder": 6} if ours else {}
    printed = points(scores)
    axes.plot([*printed], [*printed.values()], label=f"{name} ({scores.cmc_1:g} %)", **style)


def variants_problems(material: Material, choices: Choices) -> list[str]:
    """Return what is in the way of figure 4."""
    if not material.rows:
        return [
            f"{material.workdir} is a single run: the variants' curves need the folder of an "
            "experiment, see dmcf experiments"
        ]
    return problems_of([run for runs in material.rows.values() for run in runs])


@in_style
def draw_variants(material: Material, choices: Choices, out: Path) -> list[Path]:
    """Draw figure 4: mean curve of each row of the experiment, a band of one deviation.

    Published rank-1 of tables 2 and 3 appears as hollow marks where data and protocol are the
    paper's.
    """
    rows = sorted(material.rows, key=lambda row: (*_place(row), row))
    by_row = {row: curves_of(material.rows[row]) for row in rows}
    table, first = new_table(), by_row[rows[0]]
    figure, panels = panels_of(first)
    for number, (row, curves) in enumerate(by_row.items()):
        for protocol, curve in curves.items():
            draw_curve(panels[protocol], curve, row, **dashes(number), linewidth=1.4)
            add_curve(table, protocol, row, curve)
            published = VARIANTS.get(curve.dataset, {}).get(row)
            if published:
                _draw_hollow(panels[protocol], published, number)
                add_published(table, protocol, row, published)
    every = [curve for curves in by_row.values() for curve in curves.values()]
    finish(figure, panels, every, HOLLOW)
    return save(figure, out, "figure_4_variants", table)


def _place(row):
    """Return a sorting key: the paper's order, then what it has not."""
    return (ROWS.index(row),) if row in ROWS else (len(ROWS),)


def _draw_hollow(axes, scores, number):
    style = dashes(number) | {"linestyle": "", "markersize": 7, "markerfacecolor": "none"}
    # Left of the curves, where they would lie on one another.
    axes.plot([BESIDE], [scores.cmc_1], **style, markeredgewidth=1.4)
    axes.set_xticks([BESIDE, *TICKS], ["paper", *TICKS])
