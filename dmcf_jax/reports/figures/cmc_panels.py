"""What figures 3 and 4 have in common: a panel for each protocol, curves with bands, the table."""

from collections.abc import Iterable, Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dmcf_jax.methods.dmcf.published import Scores
from dmcf_jax.reports.figures.canvas import Table, blank, caption
from dmcf_jax.reports.figures.cmc_results import Curve

LEFT_OUT = "The paper's values are left out: these are not its data or not its protocol."
TICKS = (1, 5, 10, 15, 20)


def points(scores: Scores) -> dict[int, float]:
    """Return what the paper prints of a curve, by rank."""
    printed = {1: scores.cmc_1, 10: scores.cmc_10, 20: scores.cmc_20}
    return {rank: value for rank, value in printed.items() if value is not None}


def new_table() -> Table:
    """Return the table of a figure without its rows."""
    return Table(
        "protocol", "series", "source", "rank", "mean_percent", "std_percent", "averaged", "over"
    )


def add_curve(table: Table, protocol: str, series: str, curve: Curve) -> None:
    """Add our curve, a row for each rank."""
    for rank, mean, spread in zip(curve.ranks, curve.mean, curve.spread, strict=True):
        std = spread if curve.count > 1 else None
        table.add(protocol, series, "ours", rank, mean, std, curve.count, curve.over)


def add_published(table: Table, protocol: str, series: str, scores: Scores) -> None:
    """Add what the paper prints."""
    for rank, value in points(scores).items():
        table.add(protocol, series, "published", rank, value, None, None, None)


def draw_curve(axes: Axes, curve: Curve, name: str, **style) -> None:
    """Draw our mean curve and, of several, its band."""
    name = ", ".join([name, *curve.options])
    label = f"{name} ({curve.mean[0]:.1f} %, {curve.counted})"
    axes.plot(curve.ranks, curve.mean, label=label, markersize=4, **style)
    if curve.count > 1:
        low, high = curve.mean - curve.spread, curve.mean + curve.spread
        axes.fill_between(curve.ranks, low, high, color=style["color"], alpha=0.15, linewidth=0)


def panels_of(curves: Mapping[str, Curve]) -> tuple[Figure, dict[str, Axes]]:
    """Return a figure with a panel for each protocol, of one scale."""
    figure = blank(5.0 * len(curves), 4.9)
    axes = figure.subplots(1, len(curves), sharey=True, squeeze=False)[0]
    for panel, (protocol, curve) in zip(axes, curves.items(), strict=True):
        panel.set_title(protocol)
        panel.set_xlabel(f"rank k (first k {curve.counts})")
        panel.set_xticks(TICKS)
    axes[0].set_ylabel("CMC matching rate (% of queries)")
    return figure, dict(zip(curves, axes, strict=True))


def finish(
    figure: Figure, panels: Mapping[str, Axes], curves: Iterable[Curve], published: str
) -> None:
    """Add legends and the caption.

    Args:
        published: what to say of the paper's values where any are shown.
    """
    curves = list(curves)
    first = next(iter(panels.values()))  # its scale is that of all
    first.set_ylim(0, min(first.get_ylim()[1], 102))
    for axes in panels.values():
        axes.legend(
            title="rank-1 in brackets",
            loc="upper center",
            bbox_to_anchor=(0.5, -0.16),
            ncols=2,
            columnspacing=1,
        )
    parts = ["Band: one standard deviation."] if any(c.count > 1 for c in curves) else []
    parts.append(published if any(c.dataset for c in curves) else LEFT_OUT)
    caption(figure, "  ".join(parts))
