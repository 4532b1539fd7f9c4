"""How a CMC curve is drawn: a line with a band, in one panel for each protocol."""

from collections.abc import Iterable, Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dmcf_jax.evaluation.results import marked_title
from dmcf_jax.methods.dmcf.published import Scores
from dmcf_jax.reports.figures.cmc_results import Curve, curve_of
from dmcf_jax.reports.figures.plotting import (
    COLOURS,
    Table,
    caption,
    in_style,
    new_figure,
    render,
)

NOT_COMPARABLE = "The paper's values are not shown: the data or the protocol are not the paper's."
BAND = "Band: ± one standard deviation (divisor n - 1)."
TICKS = (1, 5, 10, 15, 20)


@in_style
def cmc_figure(result: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the CMC curve of one evaluation as {'.png': ..., '.svg': ...}.

    Args:
        result: see `dmcf_jax.evaluation.results`.
    """
    curve = curve_of([result])
    name = marked_title(result)
    figure, panels = new_panels({name: curve})
    label = f"rank-1 {curve.mean[0]:.2f} %, mAP {curve.mAP:.2f} %"
    draw_curve(panels[name], curve, label, color=COLOURS[0], marker="o")
    panels[name].set_ylim(0, 102)
    panels[name].legend(loc="lower right")
    if curve.count > 1:
        caption(figure, f"Mean over {curve.counted}. {BAND}")
    return render(figure)


def new_panels(curves: Mapping[str, Curve]) -> tuple[Figure, dict[str, Axes]]:
    """Return a figure with a panel for each entry of `curves`; all share one y-axis."""
    figure = new_figure(5.0 * len(curves), 4.9)
    axes = figure.subplots(1, len(curves), sharey=True, squeeze=False)[0]
    for panel, (name, curve) in zip(axes, curves.items(), strict=True):
        panel.set_title(name)
        panel.set_xlabel(f"rank k (first k {curve.counts})")
        panel.set_xticks([tick for tick in TICKS if tick <= len(curve.mean)])
    axes[0].set_ylabel("CMC matching rate (% of queries)")
    return figure, dict(zip(curves, axes, strict=True))


def draw_curve(axes: Axes, curve: Curve, label: str, **style: Any) -> None:
    """Draw a mean curve, and its band if several curves were averaged."""
    axes.plot(curve.ranks, curve.mean, label=label, markersize=4, **style)
    if curve.count > 1:
        low, high = curve.mean - curve.deviation, curve.mean + curve.deviation
        axes.fill_between(curve.ranks, low, high, color=style["color"], alpha=0.15, linewidth=0)


def series_label(name: str, curve: Curve) -> str:
    """Return a legend entry such as 'dmcf, flip (39.8 %, 3 runs)', with rank-1 in brackets."""
    return f"{', '.join([name, *curve.options])} ({curve.mean[0]:.1f} %, {curve.counted})"


def add_legends(
    figure: Figure, panels: Mapping[str, Axes], curves: Iterable[Curve], published: str
) -> None:
    """Add a legend below each panel, and the caption.

    Args:
        published: the sentence for the caption where any of the paper's values are shown.
    """
    curves = list(curves)
    first = next(iter(panels.values()))  # the panels share its y-axis
    first.set_ylim(0, min(first.get_ylim()[1], 102))
    for axes in panels.values():
        axes.legend(
            title="rank-1 in brackets",
            loc="upper center",
            bbox_to_anchor=(0.5, -0.16),
            ncols=2,
            columnspacing=1,
        )
    parts = [BAND] if any(curve.count > 1 for curve in curves) else []
    parts.append(published if any(curve.dataset for curve in curves) else NOT_COMPARABLE)
    caption(figure, "  ".join(parts))


def new_table() -> Table:
    """Return the empty table of a figure of CMC curves."""
    return Table(
        "protocol", "series", "source", "rank", "mean_percent", "std_percent", "averaged", "over"
    )


def add_curve(table: Table, protocol: str, series: str, curve: Curve) -> None:
    """Add a measured curve, one row for each rank."""
    for rank, mean, deviation in zip(curve.ranks, curve.mean, curve.deviation, strict=True):
        std = deviation if curve.count > 1 else None
        table.add(protocol, series, "ours", rank, mean, std, curve.count, curve.over)


def points(scores: Scores) -> dict[int, float]:
    """Return the values of a curve that the paper prints, by rank."""
    printed = {1: scores.cmc_1, 10: scores.cmc_10, 20: scores.cmc_20}
    return {rank: value for rank, value in printed.items() if value is not None}


def add_published(table: Table, protocol: str, series: str, scores: Scores) -> None:
    """Add what the paper prints, one row for each rank."""
    for rank, value in points(scores).items():
        table.add(protocol, series, "published", rank, value, None, None, None)
