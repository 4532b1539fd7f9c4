"""What all figures share: one style, one palette, and files as PNG, SVG and CSV."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from dmcf_jax.runtime.files import write_atomically

# Okabe and Ito's palette, distinguishable by colour-blind readers. Grey replaces its yellow, which
# is hard to see on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C8C8C")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<")
_LONG = ((5, 1, 1, 1, 1, 1), (7, 2), (3, 1, 1, 1), (1, 2))
DASHES = ("-", "--", "-.", (0, (1, 1)), *((0, lengths) for lengths in _LONG))
PALE = "#666666"  # secondary lines and marks
DPI = 160

# SVG text is drawn as outlines, so that it looks the same where the font is missing; matplotlib
# keeps the words as comments. The fixed salt makes equal figures equal files.
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
    """The numbers that a figure shows, written as CSV.

    Attributes:
        header: names of the columns, with units.
        rows: one tuple for each row.
    """

    def __init__(self, *header: str):
        self.header = header
        self.rows: list[tuple[Any, ...]] = []

    def add(self, *row: Any) -> None:
        """Add a row; None is an empty cell."""
        assert len(row) == len(self.header), (row, self.header)
        self.rows.append(row)

    def as_csv(self) -> str:
        """Return the text of the file."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([self.header, *self.rows])
        return text.getvalue()


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of `width` x `height` inches; needs no screen.

    Its background is white, not transparent, so that it can be read on a dark page.
    """
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def caption(figure: Figure, text: str) -> None:
    """Write full sentences below a figure."""
    figure.supxlabel(text, fontsize=8, color="#333333", x=0.01, ha="left")


def series_style(number: int, colours: Sequence[str] = COLOURS) -> dict[str, Any]:
    """Return colour, line style and marker of the series `number`, counted from 0."""
    # From the second round of colours on, line style and marker shift, so that pairs stay unique.
    colour, shift = number % len(colours), number // len(colours)
    return {
        "color": colours[colour],
        "linestyle": DASHES[(colour + shift) % len(DASHES)],
        "marker": MARKERS[(colour + shift) % len(MARKERS)],
    }


@in_style
def render(figure: Figure) -> dict[str, bytes]:
    """Return the figure as {'.png': ..., '.svg': ...}; equal figures give equal bytes."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # laid out now; savefig would repeat it for each format
    return {f".{kind}": _encode(figure, kind) for kind in ("png", "svg")}


def _encode(figure: Figure, kind: str) -> bytes:
    content = io.BytesIO()
    metadata = {"Date": None} if kind == "svg" else None  # a date would make each file differ
    figure.savefig(content, format=kind, dpi=DPI, metadata=metadata)
    return content.getvalue()


def save(
    figure: Figure, folder: Path, name: str, tables: Mapping[str, Table] | Table
) -> list[Path]:
    """Write `<name>.png`, `.svg` and `.csv`, each completely or not at all; return the paths.

    Args:
        tables: the numbers shown; several tables by a suffix of their file names, such as
            {'': ..., '_ratio': ...}.

    Raises:
        UserError: a file cannot be written.
    """
    tables = {"": tables} if isinstance(tables, Table) else tables
    contents = {f"{name}{suffix}": content for suffix, content in render(figure).items()}
    contents |= {f"{name}{suffix}.csv": table.as_csv().encode() for suffix, table in tables.items()}
    cure = "Name another folder with --out."
    return [write_atomically(folder / file, content, cure) for file, content in contents.items()]


def png_files(paths: Sequence[Path]) -> list[Path]:
    """Return the PNG files among `paths`."""
    return [path for path in paths if path.suffix == ".png"]
