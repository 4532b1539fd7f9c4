"""CMC curves as inline SVG in the page's colours, light or dark."""

from collections.abc import Mapping, Sequence

from dmcf_jax.evaluation.results import marked_title
from dmcf_jax.reports.html.page import text

WIDTH, HEIGHT = 640, 320
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 12, 44
SERIES = 4  # colours in page.css


def cmc_chart(results: Sequence[Mapping]) -> str:
    """Return an <svg> with the mean CMC of each result in percent over rank, and its legend."""
    last = max(len(result["mean"]["cmc"]) for result in results)
    curves = "".join(_curve(number, result, last) for number, result in enumerate(results))
    keys = "".join(
        f'<span><i style="background:var(--series-{number % SERIES})"></i>'
        f"{text(marked_title(result))}</span>"
        for number, result in enumerate(results)
    )
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="CMC curves">{_frame(last)}{curves}</svg><div class="legend">{keys}</div>'
    )


def _place(rank: int, percent: float | int, last: int) -> tuple[float, float]:
    """Return x and y of a point in the drawing; `last` is the highest rank shown."""
    across = (rank - 1) / max(last - 1, 1)
    return (
        LEFT + across * (WIDTH - LEFT - RIGHT),
        TOP + (1 - percent / 100) * (HEIGHT - TOP - BOTTOM),
    )


def _frame(last: int) -> str:
    parts = []
    for percent in (0, 25, 50, 75, 100):
        x, y = _place(1, percent, last)
        parts.append(
            f'<line class="grid" x1="{x}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        parts.append(f'<text x="{x - 8}" y="{y + 4:.1f}" text-anchor="end">{percent}</text>')
    step = max(1, round(last / 4))
    for rank in sorted({1, *range(step, last + 1, step)}):
        x, y = _place(rank, 0, last)
        parts.append(f'<text x="{x:.1f}" y="{y + 18:.1f}" text-anchor="middle">{rank}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">rank</text>')
    across = (TOP + HEIGHT - BOTTOM) / 2
    parts.append(
        f'<text transform="translate(12 {across}) rotate(-90)" text-anchor="middle">CMC, %</text>'
    )
    return "".join(parts)


def _curve(number: int, result: Mapping, last: int) -> str:
    places = [
        (*_place(int(rank), 100 * value, last), rank, 100 * value)
        for rank, value in result["mean"]["cmc"].items()
    ]
    colour = f"var(--series-{number % SERIES})"
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y, _, _ in places)
    points = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.2" fill="{colour}">'
        f"<title>rank {text(rank)}: {value:.2f} %</title></circle>"
        for x, y, rank, value in places
    )
    return f'<polyline points="{line}" style="stroke:{colour}"/>{points}'
