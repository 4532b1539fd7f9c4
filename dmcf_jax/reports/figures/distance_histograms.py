"""Distances of the same and of different people, within and across modalities."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from dmcf_jax.reports.figures.canvas import COLOURS, Table, blank, caption, in_style, save
from dmcf_jax.reports.figures.material import Choices, Material
from dmcf_jax.reports.figures.pair_distances import BINS, FARTHEST, Counted, count_pairs, median_of

DRAWN = 100  # bins of the drawing: 0.02 wide
KINDS = {
    "same": ("same person", COLOURS[0], "-"),
    "different": ("different people", COLOURS[1], "--"),
}


def problems(material: Material, choices: Choices) -> list[str]:
    """Return what is in the way of the distances."""
    return material.problems()


@in_style
def draw(material: Material, choices: Choices, out: Path) -> list[Path]:
    """Draw three panels: within visible, within infrared, across; each with medians and AUC."""
    store = material.store
    groups = count_pairs(material.embeddings, store.identity, store.modality)
    figure = blank(10.0, 3.9)
    panels = figure.subplots(1, len(groups), sharex=True, sharey=True)
    for axes, (name, counted) in zip(panels, groups.items(), strict=True):
        _draw(axes, counted)
        axes.set_title(_title(name, counted), fontsize=9.5)
        axes.set_xlabel("cosine distance, 0 to 2 (no unit)")
    panels[0].set_ylabel(f"share of pairs by {FARTHEST / DRAWN:g} of distance (%)")
    panels[0].set_xlim(*_limits(groups))
    panels[0].set_ylim(0, None)
    handles, labels = panels[-1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(KINDS))
    caption(
        figure,
        "Vertical lines: medians.  AUC: how often a pair of one person is nearer than a pair of "
        "two people (0.5 chance, 1 no overlap).",
    )
    return save(figure, out, "distances", {"": _bins(groups), "_summary": _summary(groups)})


def _draw(axes, counted):
    edges = np.linspace(0, FARTHEST, DRAWN + 1)
    for kind, (label, colour, line) in KINDS.items():
        counts, drawn = getattr(counted, kind), getattr(counted.coarser(DRAWN), kind)
        share = 100 * drawn / max(drawn.sum(), 1)
        axes.stairs(share, edges, fill=True, color=colour, alpha=0.2)
        axes.stairs(share, edges, color=colour, linestyle=line, linewidth=1.5, label=label)
        axes.axvline(median_of(counts), color=colour, linestyle=line, linewidth=1)


def _title(name, counted):
    medians = " and ".join(f"{median_of(side):.2f}" for side in (counted.same, counted.different))
    return f"{name}\nAUC {counted.auc:.3f}, medians {medians}"


def _limits(groups):
    """Return the part of the axis that holds pairs, with a little room."""
    held = sum(group.same + group.different for group in groups.values())
    where = np.flatnonzero(held) * FARTHEST / BINS
    return max(0, where[0] - 0.05), min(FARTHEST, where[-1] + 0.05)


def _bins(groups: Mapping[str, Counted]) -> Table:
    table = Table("group", "distance_from", "distance_to", "same_person_pairs", "different_pairs")
    width = FARTHEST / DRAWN
    for name, counted in groups.items():
        drawn = counted.coarser(DRAWN)
        for place, (same, different) in enumerate(zip(drawn.same, drawn.different, strict=True)):
            edges = [round(edge * width, 6) for edge in (place, place + 1)]
            table.add(name, *edges, same, different)
    return table


def _summary(groups: Mapping[str, Counted]) -> Table:
    table = Table(
        "group", "same_person_pairs", "different_pairs", "median_same", "median_different", "auc"
    )
    for name, counted in groups.items():
        sides = (counted.same, counted.different)
        medians = [median_of(side) for side in sides]
        table.add(name, *(int(side.sum()) for side in sides), *medians, counted.auc)
    return table
