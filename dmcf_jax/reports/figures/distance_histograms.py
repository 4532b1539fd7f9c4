"""Distances of the same and of different people, within and across modalities."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from dmcf_jax.errors import Problem
from dmcf_jax.reports.figures.inputs import FigureInputs, FigureOptions
from dmcf_jax.reports.figures.pair_distances import (
    BINS,
    LARGEST,
    PairCounts,
    count_pairs,
    median_of,
)
from dmcf_jax.reports.figures.plotting import COLOURS, Table, caption, in_style, new_figure, save

DRAWN = 100  # bins of the histogram, each 0.02 wide
KINDS = {
    "same": ("same person", COLOURS[0], "-"),
    "different": ("different people", COLOURS[1], "--"),
}


def problems(inputs: FigureInputs, options: FigureOptions) -> list[Problem]:
    """Return why the distances cannot be drawn."""
    return inputs.problems()


@in_style
def draw(inputs: FigureInputs, options: FigureOptions, out: Path) -> list[Path]:
    """Draw three panels: within visible, within infrared, across; each with medians and AUC."""
    store = inputs.store
    groups = count_pairs(inputs.embeddings, store.identity, store.modality)
    figure = new_figure(10.0, 3.9)
    panels = figure.subplots(1, len(groups), sharex=True, sharey=True)
    for axes, (name, pairs) in zip(panels, groups.items(), strict=True):
        _draw(axes, pairs)
        axes.set_title(_title(name, pairs), fontsize=9.5)
        axes.set_xlabel("cosine distance, 0 to 2 (no unit)")
    panels[0].set_ylabel(f"share of pairs (% per {LARGEST / DRAWN:g} of distance)")
    panels[0].set_xlim(*_limits(groups))
    panels[0].set_ylim(0, None)
    handles, labels = panels[-1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(KINDS))
    caption(
        figure,
        "Vertical lines: medians.  AUC: probability that a pair of the same person is closer than "
        "a pair of different people (0.5: chance, 1: no overlap).",
    )
    return save(figure, out, "distances", {"": _bins(groups), "_summary": _summary(groups)})


def _draw(axes: Axes, pairs: PairCounts) -> None:
    edges = np.linspace(0, LARGEST, DRAWN + 1)
    for kind, (label, colour, line) in KINDS.items():
        counts, drawn = getattr(pairs, kind), getattr(pairs.coarser(DRAWN), kind)
        share = 100 * drawn / max(drawn.sum(), 1)
        axes.stairs(share, edges, fill=True, color=colour, alpha=0.2)
        axes.stairs(share, edges, color=colour, linestyle=line, linewidth=1.5, label=label)
        axes.axvline(median_of(counts), color=colour, linestyle=line, linewidth=1)


def _title(name: str, pairs: PairCounts) -> str:
    medians = " and ".join(f"{median_of(counts):.2f}" for counts in (pairs.same, pairs.different))
    return f"{name}\nAUC {pairs.auc:.3f}, medians {medians}"


def _limits(groups: Mapping[str, PairCounts]) -> tuple[float, float]:
    """Return the range of distances that occur, with a small margin."""
    counts = sum(group.same + group.different for group in groups.values())
    distances = np.flatnonzero(counts) * LARGEST / BINS
    return max(0.0, distances[0] - 0.05), min(LARGEST, distances[-1] + 0.05)


def _bins(groups: Mapping[str, PairCounts]) -> Table:
    table = Table("group", "distance_from", "distance_to", "same_person_pairs", "different_pairs")
    width = LARGEST / DRAWN
    for name, pairs in groups.items():
        drawn = pairs.coarser(DRAWN)
        for number, (same, different) in enumerate(zip(drawn.same, drawn.different, strict=True)):
            edges = [round(edge * width, 6) for edge in (number, number + 1)]
            table.add(name, *edges, same, different)
    return table


def _summary(groups: Mapping[str, PairCounts]) -> Table:
    table = Table(
        "group", "same_person_pairs", "different_pairs", "median_same", "median_different", "auc"
    )
    for name, pairs in groups.items():
        kinds = (pairs.same, pairs.different)
        medians = [median_of(counts) for counts in kinds]
        table.add(name, *(int(counts.sum()) for counts in kinds), *medians, pairs.auc)
    return table
