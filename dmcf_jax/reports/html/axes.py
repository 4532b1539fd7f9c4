"""The frame of a drawing of curves, as inline SVG in the page's colours, light or dark."""

from collections.abc import Sequence
from dataclasses import dataclass

SERIES = 4  # colours in page.css
Number = float | int  # JSON has both
Tick = tuple[Number, str]  # a place from 0 to 1, and what is written there


@dataclass(frozen=True)
class Axes:
    """Sizes of a drawing in pixels.

    Attributes:
        width, height: of the whole.
        left, right, top, bottom: what is left free around the curves.
    """

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int

    def place(self, across: Number, up: Number) -> tuple[Number, Number]:
        """Return x and y of a point, whose `across` and `up` go from 0 (left, low) to 1."""
        return (
            self.left + across * (self.width - self.left - self.right),
            self.top + (1 - up) * (self.height - self.top - self.bottom),
        )

    def svg(self, label: str, drawn: str) -> str:
        """Return a drawing with what is drawn in it; `label` is read by screen readers."""
        return (
            f'<svg class="chart" viewBox="0 0 {self.width} {self.height}" role="img" '
            f'aria-label="{label}">{drawn}</svg>'
        )

    def frame(self, grid: Sequence[Tick], ticks: Sequence[Tick], across: str, up: str = "") -> str:
        """Return lines at `grid`, numbers at `ticks`, and the names of the axes."""
        x_end, y_end = self.width - self.right, self.height - self.bottom
        parts = []
        for share, label in grid:
            _, y = self.place(0, share)
            parts.append(
                f'<line class="grid" x1="{self.left}" x2="{x_end}" y1="{y:.1f}" y2="{y:.1f}"/>'
                f'<text x="{self.left - 8}" y="{y + 4:.1f}" text-anchor="end">{label}</text>'
            )
        for share, label in ticks:
            x, y = self.place(share, 0)
            parts.append(f'<text x="{x:.1f}" y="{y + 18:.1f}" text-anchor="middle">{label}</text>')
        x, y = (self.left + x_end) / 2, (self.top + y_end) / 2
        names = [(f'x="{x}" y="{self.height - 5}"', across)]
        if up:
            names.append((f'transform="translate(12 {y}) rotate(-90)"', up))
        parts += [f'<text {where} text-anchor="middle">{name}</text>' for where, name in names]
        return "".join(parts)
