"""Ranked lists: the best and the worst queries with the first gallery images of each."""

from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.layout_engine import ConstrainedLayoutEngine

from dmcf_jax.data.image_store import ImageStore
from dmcf_jax.errors import Problem
from dmcf_jax.evaluation.nearest import Nearest, nearest
from dmcf_jax.evaluation.protocols import find_protocol
from dmcf_jax.modality import MODALITIES
from dmcf_jax.reports.figures.inputs import FigureInputs, FigureOptions
from dmcf_jax.reports.figures.plotting import Table, in_style, new_figure, save
from dmcf_jax.reports.query_choice import best_and_worst

RIGHT, WRONG, QUERY = "#0072B2", "#D55E00", "#444444"
SHOWN = 10
CELL = 0.9  # width of an image in inches


def problems(inputs: FigureInputs, options: FigureOptions) -> list[Problem]:
    """Return why the ranked lists cannot be drawn."""
    return inputs.problems()


def draw(inputs: FigureInputs, options: FigureOptions, out: Path) -> list[Path]:
    """Draw the lists of visible and of infrared queries."""
    return [
        path
        for query in range(len(MODALITIES))
        for path in ranked_lists(inputs.embeddings, inputs.store, query, out)
    ]


@in_style
def ranked_lists(
    embeddings: Float[np.ndarray, "n d"], store: ImageStore, query: int, out: Path, each: int = 4
) -> list[Path]:
    """Draw the best and the worst queries with their first ten gallery images.

    All images of one modality query all of the other, whatever the data set's own protocol.

    Args:
        embeddings: of all images of `store`, unit length.
        query: modality of the queries; the gallery is the other one.
        out: folder of `ranked_<modality>_queries.png`, `.svg` and `.csv`.
        each: number of best and of worst queries, see `best_and_worst`.
    """
    protocol = find_protocol(f"plain/{MODALITIES[query]}-to-{MODALITIES[1 - query]}")
    lists = nearest(protocol, embeddings, store, SHOWN)
    best, worst = best_and_worst(lists, store.identity, each)
    kinds = ["best"] * len(best) + ["worst"] * len(worst)
    queries = [*best, *reversed(worst)]  # from the best to the worst
    aspect = store.images.shape[1] / store.images.shape[2]
    figure = new_figure(CELL * (SHOWN + 1) + 0.6, (CELL * aspect + 0.12) * len(queries) + 0.5)
    layout = figure.get_layout_engine()
    assert isinstance(layout, ConstrainedLayoutEngine)  # of `new_figure`
    layout.set(w_pad=0.04, h_pad=0.04, wspace=0.01, hspace=0.01)
    axes = figure.subplots(len(queries), SHOWN + 1, squeeze=False)
    for row, number, kind in zip(axes, queries, kinds, strict=True):
        _draw_list(row, lists, store, number)
        precision = 100 * lists.average_precision[number]
        row[0].set_ylabel(f"{kind}\nAP {precision:.0f} %", fontsize=9)
    axes[0][0].set_title("query", fontsize=9)
    figure.suptitle(
        f"{MODALITIES[query]} queries and their first {SHOWN} {MODALITIES[1 - query]} images: "
        "rank, ✓ same person or ✗ different person, cosine similarity",
        fontsize=10.5,
    )
    table = _table(lists, store, queries, kinds)
    return save(figure, out, f"ranked_{MODALITIES[query]}_queries", table)


def _draw_list(axes: np.ndarray, lists: Nearest, store: ImageStore, number: int) -> None:
    """Draw the query `number` and its list; a list that is shorter leaves its axes empty."""
    _draw_image(axes[0], store.images[lists.queries[number]], QUERY)
    matches = zip(lists.rows[number], lists.scores[number], lists.right[number], strict=True)
    for rank, (row, score, right) in enumerate(matches, start=1):
        if row < 0:
            continue
        colour = RIGHT if right else WRONG
        _draw_image(axes[rank], store.images[row], colour)
        # The sign repeats the colour for colour-blind readers.
        sign = "✓" if right else "✗"
        axes[rank].set_xlabel(f"{rank} {sign} {score:.2f}", fontsize=8, color=colour)
    for axis in axes:
        axis.set_visible(bool(axis.images))


def _draw_image(axis: Axes, image: np.ndarray, colour: str) -> None:
    axis.imshow(image)
    axis.set(xticks=[], yticks=[])
    axis.grid(False)
    axis.spines[:].set(visible=True, color=colour, linewidth=2.5)


def _table(lists: Nearest, store: ImageStore, queries: list[int], kinds: list[str]) -> Table:
    table = Table("kind", "average_precision", "query", "rank", "gallery", "score", "right")
    for number, kind in zip(queries, kinds, strict=True):
        query, precision = store.path[lists.queries[number]], lists.average_precision[number]
        matches = zip(lists.rows[number], lists.scores[number], lists.right[number], strict=True)
        for rank, (row, score, right) in enumerate(matches, start=1):
            if row >= 0:
                answer = "right" if right else "wrong"
                table.add(kind, precision, query, rank, store.path[row], score, answer)
    return table
