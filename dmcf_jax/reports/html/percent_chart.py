"""Curves of shares in percent as inline SVG in the page's colours, light or dark."""

from collections.abc import Mapping, Sequence

from dmcf_jax.reports.html.axes import SERIES, Axes, Number, Tick
from dmcf_jax.reports.html.page import text

AXES = Axes(width=640, height=320, left=46, right=12, top=12, bottom=44)
GRID = [(percent / 100, str(percent)) for percent in (0, 25, 50, 75, 100)]
Point = tuple[Number, Number, str]


def percent_chart(
    name: str,
    across: str,
    up: str,
    ticks: Sequence[Tick],
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
    drawing = AXES.svg(name, AXES.frame(GRID, ticks, across, up) + drawn)
    return f'{drawing}<div class="legend">{keys}</div>'


def _colour(number: int) -> str:
    return f"var(--series-{number % SERIES})"


def _curve(number: int, points: Sequence[Point]) -> str:
    places = [(*AXES.place(across, share), title) for across, share, title in points]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in places)
    marks = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.2" fill="{_colour(number)}">'
        f"<title>{text(title)}</title></circle>"
        for x, y, title in places
    )
    return f'<polyline points="{line}" style="stroke:{_colour(number)}"/>{marks}'
