"""Paper to draw on and how it is kept: one style, one palette, PNG, SVG and CSV of each figure."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from dmcf_jax.runtime.files import write_atomically

# Okabe and Ito's colours, which colour-blind readers tell apart; grey for yellow, lost on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C8C8C")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<")
_LONG = ((5, 1, 1, 1, 1, 1), (7, 2), (3, 1, 1, 1), (1, 2))
DASHES = ("-", "--", "-.", (0, (1, 1)), *((0, lengths) for lengths in _LONG))
PALE = "#666666"  # of second lines and marks; dark enough to be read on white
DPI = 160

# A white ground, not a transparent one: text stays readable where a page is dark. Letters in SVG
# are outlines, so that nothing moves where a font is missing; matplotlib leaves the words in
# comments beside them. The fixed salt makes the same figure the same file.
in_style = matplotlib.rc_context(
    {
        "font.size": 9,
        "axes.titlesize": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.alpha": 0.3,
        "legend.frameon": False,
        "legend.fontsize": 8.5,
        "svg.fonttype": "path",
        "svg.hashsalt": "dmcf_jax",
    }
)


class Table:
    """The numbers of a figure: a header and rows, kept as CSV."""

    def __init__(self, *header: str):
        """Start with the names of the columns, units in them."""
        self.header, self.rows = header, []

    def add(self, *row: Any) -> None:
        """Add a row; None is an empty cell."""
        assert len(row) == len(self.header), (row, self.header)
        self.rows.append(row)

    def as_csv(self) -> str:
        """Return the text of the file."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([self.header, *self.rows])
        return text.getvalue()


def blank(width: float, height: float) -> Figure:
    """Return an empty white figure, inches; no screen and no state behind it is needed."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def caption(figure: Figure, text: str) -> None:
    """Write what a figure's numbers are below it, in full sentences."""
    figure.supxlabel(text, fontsize=8, color="#333333", x=0.01, ha="left")


def dashes(number: int, colours: Sequence[str] = COLOURS) -> dict[str, Any]:
    """Return colour, line and marker of the series `number`, from 0: each tells it apart."""
    place, again = number % len(colours), number // len(colours)
    return {
        "color": colours[place],
        "linestyle": DASHES[(place + again) % len(DASHES)],
        "marker": MARKERS[(place + again) % len(MARKERS)],
    }


@in_style
def save(
    figure: Figure, folder: Path, name: str, tables: Mapping[str, Table] | Table
) -> list[Path]:
    """Write `<name>.png`, `.svg` and `.csv`, each whole or not at all; return the paths.

    Args:
        tables: the numbers shown; several by the endings of their names, as {'_ratio': ...}.
    """
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # done: each picture would do it again, for seconds
    tables = {"": tables} if isinstance(tables, Table) else tables
    contents = {f"{name}.png": _picture(figure, "png"), f"{name}.svg": _picture(figure, "svg")}
    contents |= {f"{name}{end}.csv": table.as_csv().encode() for end, table in tables.items()}
    cure = "Name another folder with --out."
    return [write_atomically(folder / file, content, cure) for file, content in contents.items()]


def _picture(figure, kind):
    content = io.BytesIO()
    # No date: the same figure gives the same file.
    metadata = {"Date": None} if kind == "svg" else None
    figure.savefig(content, format=kind, dpi=DPI, metadata=metadata)
    return content.getvalue()


def pictures(paths: Sequence[Path]) -> list[Path]:
    """Return the PNGs among `paths`: what a person opens."""
    return [path for path in paths if path.suffix == ".png"]
