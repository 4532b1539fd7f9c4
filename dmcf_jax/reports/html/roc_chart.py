"""ROC curves as inline SVG in the page's colours, over a logarithmic FPR."""

import math
from collections.abc import Mapping, Sequence

from dmcf_jax.evaluation.results import marked_title
from dmcf_jax.reports.html.chart import BOTTOM, HEIGHT, LEFT, RIGHT, SERIES, TOP, WIDTH
from dmcf_jax.reports.html.page import text


def roc_chart(results: Sequence[Mapping]) -> str:
    """Return an <svg> with the mean TPR of each result in percent over FPR; '' without any.

    FPRs that fewer pairs than 1 / FPR would have to show are not drawn.
    """
    curves = {number: found for number, result in enumerate(results) if (found := _points(result))}
    if not curves:
        return ""
    lowest = math.floor(min(math.log10(rate) for found in curves.values() for rate, _ in found))
    lines = "".join(_line(number, found, lowest) for number, found in curves.items())
    keys = "".join(
        f'<span><i style="background:var(--series-{number % SERIES})"></i>'
        f"{text(marked_title(results[number]))}</span>"
        for number in curves
    )
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="ROC curves">{_frame(lowest)}{lines}</svg><div class="legend">{keys}</div>'
    )


def _points(result: Mapping) -> list[tuple[float, float]]:
    """Return (FPR, TPR) as fractions, ascending."""
    rates = result["mean"].get("verification", {}).get("tpr_at_fpr", {})
    if not rates:
        return []
    fewest = min(trial["verification"]["different_person_pairs"] for trial in result["trials"])
    found = sorted((float(rate), share) for rate, share in rates.items())
    return [(rate, share) for rate, share in found if rate * fewest >= 1]


def _place(rate: float, share: float, lowest: int) -> tuple[float, float]:
    """Return x and y of a point in the drawing; `lowest` is the power of ten at the left."""
    across = 1 - math.log10(rate) / lowest
    return (
        LEFT + across * (WIDTH - LEFT - RIGHT),
        TOP + (1 - share) * (HEIGHT - TOP - BOTTOM),
    )


def _frame(lowest: int) -> str:
    parts = []
    for percent in (0, 25, 50, 75, 100):
        _, y = _place(1.0, percent / 100, lowest)
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{percent}</text>'
        )
    for power in range(lowest, 1):
        x, y = _place(10.0**power, 0.0, lowest)
        name = f"{10.0**power:g}"
        parts.append(f'<text x="{x:.1f}" y="{y + 18:.1f}" text-anchor="middle">{name}</text>')
    middle, across = (LEFT + WIDTH - RIGHT) / 2, (TOP + HEIGHT - BOTTOM) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">FPR</text>')
    parts.append(
        f'<text transform="translate(12 {across}) rotate(-90)" text-anchor="middle">TPR, %</text>'
    )
    return "".join(parts)


def _line(number: int, points: Sequence[tuple[float, float]], lowest: int) -> str:
    colour = f"var(--series-{number % SERIES})"
    places = [(*_place(rate, share, lowest), rate, share) for rate, share in points]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y, *_ in places)
    marks = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.2" fill="{colour}">'
        f"<title>FPR {rate:g}: TPR {100 * share:.2f} %</title></circle>"
        for x, y, rate, share in places
    )
    return f'<polyline points="{line}" style="stroke:{colour}"/>{marks}'
