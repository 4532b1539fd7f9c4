"""Curves over the training step as inline SVG in the page's colours, light or dark."""

import math
from collections.abc import Mapping, Sequence

from dmcf_jax.reports.html.axes import SERIES, Axes, Number
from dmcf_jax.reports.html.page import text

AXES = Axes(width=440, height=240, left=58, right=20, top=10, bottom=40)
DASHES = ("", "6 3", "2 3")  # tells curves of one colour apart
Curve = Sequence[tuple[Number, Number]]


def line_chart(name: str, curves: Mapping[str, Curve], series: Sequence[str]) -> str:
    """Return a <figure> with the curves of one logged value and its name.

    Args:
        name: of the value.
        curves: (step, value) by series; at least one point in all, all finite.
        series: all that the page shows; the place of one in it is its colour in every chart.
    """
    steps, values = zip(*(point for curve in curves.values() for point in curve), strict=True)
    across, up = _Range(steps), _Range(values)
    frame = AXES.frame(
        [(up.share(value), f"{value:.4g}") for value in ticks(up.low, up.high)],
        [(across.share(step), f"{step:g}") for step in ticks(across.low, across.high)],
        "step",
    )
    lines = []
    for one, curve in curves.items():
        places = (AXES.place(across.share(step), up.share(value)) for step, value in curve)
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        lines.append(f'<polyline points="{line}" {_stroke(series.index(one))}/>')
    drawing = AXES.svg(f"{text(name)} over the training step", frame + "".join(lines))
    return f'<figure class="curves"><figcaption>{text(name)}</figcaption>{drawing}</figure>'


def legend(series: Sequence[str]) -> str:
    """Return the key of all series of a page."""
    keys = "".join(f"<span>{_key(number)}{text(one)}</span>" for number, one in enumerate(series))
    return f'<div class="legend">{keys}</div>'


class _Range:
    """Least and greatest of some values; a range of width zero becomes one of width one."""

    def __init__(self, values: Sequence[Number]):
        self.low, self.high = min(values), max(values)
        if not self.high > self.low:
            self.high = self.low + 1

    def share(self, value: Number) -> float:
        return (value - self.low) / (self.high - self.low)


def ticks(low: Number, high: Number, most: int = 5) -> list[Number]:
    """Return round values between `low` and `high`: multiples of 1, 2 or 5 times a power of ten."""
    if not high > low:
        return [low]
    step = 10.0 ** math.floor(math.log10((high - low) / most))
    step *= next(factor for factor in (1, 2, 5, 10) if (high - low) / (factor * step) <= most)
    return [n * step for n in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _stroke(number: int) -> str:
    dashes = DASHES[number // SERIES % len(DASHES)]
    pattern = f"; stroke-dasharray: {dashes}" if dashes else ""
    return f'style="stroke:var(--series-{number % SERIES}){pattern}"'


def _key(number: int) -> str:
    return (
        '<svg class="key" viewBox="0 0 24 6" aria-hidden="true">'
        f'<line x1="0" x2="24" y1="3" y2="3" {_stroke(number)}/></svg>'
    )
