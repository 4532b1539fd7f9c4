"""A map of the test embeddings of a few people, laid out in the plane by t-SNE."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from matplotlib.lines import Line2D

from dmcf_jax.data.image_store import ImageStore
from dmcf_jax.errors import Problem
from dmcf_jax.modality import MODALITIES
from dmcf_jax.reports.figures.inputs import FigureInputs, FigureOptions, spread
from dmcf_jax.reports.figures.plotting import (
    COLOURS,
    PALE,
    Table,
    caption,
    in_style,
    new_figure,
    save,
)

MAX_PEOPLE = 2 * len(COLOURS)  # colour, and filled or hollow marks, identify a person
MAX_IMAGES = 20  # of a person and modality; SYSU-MM01 has dozens of nearly equal frames
MARKERS = ("o", "^")  # of visible and infrared


def problems(inputs: FigureInputs, options: FigureOptions) -> list[Problem]:
    """Return why the map cannot be drawn."""
    found = inputs.problems()
    if not 2 <= options.identities <= MAX_PEOPLE:
        text = f"--identities={options.identities}: choose 2 to {MAX_PEOPLE}"
        found.append(Problem("--identities", text))
    if importlib.util.find_spec("sklearn") is None:
        text = 't-SNE needs scikit-learn: pip install "dmcf_jax[viz]"'
        found.append(Problem("scikit-learn", text))
    return found


@in_style
def draw(inputs: FigureInputs, options: FigureOptions, out: Path) -> list[Path]:
    """Draw up to `options.identities` people; colour and filling: person, marker: modality."""
    store = inputs.store
    people = spread(store.people_in_both(), options.identities)
    rows = rows_of(store, people)
    points = lay_out(inputs.embeddings[rows])
    figure = new_figure(7.4, 5.2)
    axes = figure.add_subplot()
    for number, person in enumerate(people):
        for modality, marker in enumerate(MARKERS):
            chosen = (store.identity[rows] == person) & (store.modality[rows] == modality)
            axes.plot(*points[chosen].T, linestyle="", **_style(number, marker))
    axes.set(xlabel="t-SNE axis 1 (no unit)", ylabel="t-SNE axis 2 (no unit)")
    axes.set_aspect("equal", adjustable="datalim")
    axes.tick_params(labelbottom=False, labelleft=False, length=0)
    axes.set_title(f"test embeddings of {len(people)} people, {len(rows)} images", loc="left")
    figure.legend(handles=_legend(people), loc="outside right center")
    caption(
        figure,
        "t-SNE of cosine distances, fixed seed. Which points are neighbours is meaningful;\n"
        "distances between clusters and sizes of clusters are not.",
    )
    return save(figure, out, "embeddings", _table(store, rows, points))


def _style(number: int, marker: str) -> dict[str, Any]:
    colour = COLOURS[number % len(COLOURS)]
    return {
        "marker": marker,
        "markersize": 6,
        "color": colour,
        "markerfacecolor": colour if number < len(COLOURS) else "white",
        "markeredgewidth": 1.2,
        "alpha": 0.85,
    }


def _legend(people: np.ndarray) -> list[Line2D]:
    handles = [
        Line2D([], [], linestyle="", label=f"person {person}", **_style(number, "s"))
        for number, person in enumerate(people)
    ]
    grey = {"linestyle": "", "color": PALE, "markersize": 6}
    gap = Line2D([], [], linestyle="", label=" ")
    return [*handles, gap] + [
        Line2D([], [], marker=marker, label=name, **grey)
        for marker, name in zip(MARKERS, MODALITIES, strict=True)
    ]


def rows_of(store: ImageStore, people: Int[np.ndarray, " k"]) -> Int[np.ndarray, " r"]:
    """Return the rows of `people`: at most 20 images of each in each modality, evenly spaced."""
    rows = [
        spread(
            np.flatnonzero((store.identity == person) & (store.modality == modality)), MAX_IMAGES
        )
        for person in people
        for modality in range(len(MODALITIES))
    ]
    return np.concatenate(rows)


def lay_out(embeddings: Float[np.ndarray, "r d"]) -> Float[np.ndarray, "r 2"]:
    """Return the points of a t-SNE of cosine distances; the same on each call."""
    from sklearn.manifold import TSNE  # optional, and slow to import
    from threadpoolctl import threadpool_limits

    perplexity = min(30.0, (len(embeddings) - 1) / 3)  # sklearn's limit for few points
    method = TSNE(2, perplexity=perplexity, metric="cosine", init="pca", random_state=0)
    # One thread sums in the same order on every machine. Several threads also wait for each other
    # by spinning, which is slow on busy cores.
    with threadpool_limits(1):
        return method.fit_transform(embeddings)


def _table(store: ImageStore, rows: np.ndarray, points: np.ndarray) -> Table:
    table = Table("path", "identity", "modality", "tsne_1", "tsne_2")
    for row, (x, y) in zip(rows, points, strict=True):
        table.add(store.path[row], store.identity[row], MODALITIES[store.modality[row]], x, y)
    return table
