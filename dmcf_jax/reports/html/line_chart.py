"""Curves over the training step as inline SVG in the page's colours, light or dark."""

import math
from collections.abc import Mapping, Sequence

from dmcf_jax.reports.html.page import text

WIDTH, HEIGHT = 440, 240
LEFT, RIGHT, TOP, BOTTOM = 58, 10, 10, 40
SERIES = 4  # colours in page.css
DASHES = ("", "6 3", "2 3")  # tells curves of one colour apart
Number = float | int
Curve = Sequence[tuple[Number, Number]]


def line_chart(name: str, curves: Mapping[str, Curve], series: Sequence[str]) -> str:
    """Return a <figure> with the curves of one logged value and its name.

    Args:
        name: of the value.
        curves: (step, value) by series; at least one point in all, all finite.
        series: all that the page shows; the place of one in it is its colour in every chart.
    """
    points = [point for curve in curves.values() for point in curve]
    xs, ys = zip(*points, strict=True)
    box = _Box(min(xs), max(xs), min(ys), max(ys))
    drawn = "".join(_curve(series.index(one), curve, box) for one, curve in curves.items())
    return (
        f'<figure class="curves"><figcaption>{text(name)}</figcaption>'
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{text(name)} over the training step">{_frame(box)}{drawn}</svg></figure>'
    )


def legend(series: Sequence[str]) -> str:
    """Return the key of all series of a page."""
    keys = "".join(f"<span>{_key(number)}{text(one)}</span>" for number, one in enumerate(series))
    return f'<div class="legend">{keys}</div>'


class _Box:
    """Places values in the drawing; a range of width zero becomes one of width one."""

    def __init__(self, left: Number, right: Number, low: Number, high: Number):
        self.left, self.right = left, right if right > left else left + 1
        self.low, self.high = low, high if high > low else low + 1

    def place(self, x: Number, y: Number) -> tuple[float, float]:
        across = (x - self.left) / (self.right - self.left)
        up = (y - self.low) / (self.high - self.low)
        return LEFT + across * (WIDTH - LEFT - RIGHT), TOP + (1 - up) * (HEIGHT - TOP - BOTTOM)


def ticks(low: Number, high: Number, most: int = 5) -> list[Number]:
    """Return round values between `low` and `high`: multiples of 1, 2 or 5 times a power of ten."""
    if not high > low:
        return [low]
    step = 10.0 ** math.floor(math.log10((high - low) / most))
    step *= next(factor for factor in (1, 2, 5, 10) if (high - low) / (factor * step) <= most)
    return [n * step for n in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _frame(box: _Box) -> str:
    parts = []
    for value in ticks(box.low, box.high):
        x, y = box.place(box.left, value)
        parts.append(
            f'<line class="grid" x1="{x}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{x - 8}" y="{y + 4:.1f}" text-anchor="end">{value:.4g}</text>'
        )
    for value in ticks(box.left, box.right):
        x, y = box.place(value, box.low)
        parts.append(f'<text x="{x:.1f}" y="{y + 18:.1f}" text-anchor="middle">{value:g}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 4}" text-anchor="middle">step</text>')
    return "".join(parts)


def _curve(number: int, curve: Curve, box: _Box) -> str:
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in (box.place(*point) for point in curve))
    return f'<polyline points="{line}" {_stroke(number)}/>'


def _stroke(number: int) -> str:
    dashes = DASHES[number // SERIES % len(DASHES)]
    pattern = f"; stroke-dasharray: {dashes}" if dashes else ""
    return f'style="stroke:var(--series-{number % SERIES}){pattern}"'


def _key(number: int) -> str:
    return (
        '<svg class="key" viewBox="0 0 24 6" aria-hidden="true">'
        f'<line x1="0" x2="24" y1="3" y2="3" {_stroke(number)}/></svg>'
    )
