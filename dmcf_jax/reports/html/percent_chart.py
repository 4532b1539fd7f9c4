"""Curves of shares in percent as inline SVG in the page's colours, light or dark."""

from collections.abc import Mapping, Sequence

from dmcf_jax.reports.html.page import text

WIDTH, HEIGHT = 640, 320
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 12, 44
SERIES = 4  # colours in page.css
Number = float | int  # JSON has both
Point = tuple[Number, Number, str]


def percent_chart(
    name: str,
    across: str,
    up: str,
    ticks: Sequence[tuple[Number, str]],
    curves: Mapping[int, tuple[str, Sequence[Point]]],
) -> str:
    """Return an <svg> with curves and their legend.

    Args:
        name: of the drawing, for screen readers.
        across, up: names of the axes.
        ticks: place from 0 (left) to 1 and label of what is named on the axis across.
        curves: title and points by the number of its colour. A point is its place across, its
            share from 0 to 1 and what is shown where a mouse rests on it.
    """
    drawn = "".join(_curve(number, points) for number, (_, points) in curves.items())
    keys = "".join(
        f'<span><i style="background:{_colour(number)}"></i>{text(title)}</span>'
        for number, (title, _) in curves.items()
    )
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{name}">{_frame(across, up, ticks)}{drawn}</svg>'
        f'<div class="legend">{keys}</div>'
    )


def _place(across: Number, share: Number) -> tuple[Number, Number]:
    """Return x and y of a point in the drawing."""
    return (
        LEFT + across * (WIDTH - LEFT - RIGHT),
        TOP + (1 - share) * (HEIGHT - TOP - BOTTOM),
    )


def _frame(across: str, up: str, ticks: Sequence[tuple[Number, str]]) -> str:
    parts = []
    for percent in (0, 25, 50, 75, 100):
        _, y = _place(0, percent / 100)
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{percent}</text>'
        )
    for place, label in ticks:
        x, y = _place(place, 0)
        parts.append(f'<text x="{x:.1f}" y="{y + 18:.1f}" text-anchor="middle">{label}</text>')
    middle, height = (LEFT + WIDTH - RIGHT) / 2, (TOP + HEIGHT - BOTTOM) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">{across}</text>')
    parts.append(
        f'<text transform="translate(12 {height}) rotate(-90)" text-anchor="middle">{up}</text>'
    )
    return "".join(parts)


def _colour(number: int) -> str:
    return f"var(--series-{number % SERIES})"


def _curve(number: int, points: Sequence[Point]) -> str:
    places = [(*_place(across, share), title) for across, share, title in points]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in places)
    marks = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.2" fill="{_colour(number)}">'
        f"<title>{text(title)}</title></circle>"
        for x, y, title in places
    )
    return f'<polyline points="{line}" style="stroke:{_colour(number)}"/>{marks}'
