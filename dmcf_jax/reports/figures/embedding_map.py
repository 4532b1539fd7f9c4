"""Test embeddings of a few people laid out in the plane by t-SNE."""

import importlib.util
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from matplotlib.lines import Line2D

from dmcf_jax.data.image_store import ImageStore
from dmcf_jax.modality import MODALITIES
from dmcf_jax.reports.figures.canvas import COLOURS, Table, blank, caption, in_style, save
from dmcf_jax.reports.figures.material import Choices, Material, people_in_both, spread

FILLS = ("full", "none")
MOST = len(FILLS) * len(COLOURS)  # people that colour and filling tell apart
EACH = 20  # images of a person in a modality at most: SYSU-MM01 has dozens that are almost one
MARKS = ("o", "^")  # of visible and infrared


def problems(material: Material, choices: Choices) -> list[str]:
    """Return what is in the way of the map."""
    found = material.problems()
    if not 2 <= choices.identities <= MOST:
        found.append(f"--identities={choices.identities}: choose 2 to {MOST}")
    if importlib.util.find_spec("sklearn") is None:
        found.append('t-SNE needs scikit-learn: pip install "dmcf_jax[viz]"')
    return found


@in_style
def draw(material: Material, choices: Choices, out: Path) -> list[Path]:
    """Draw up to `choices.identities` people: colour and filling person, mark modality."""
    store = material.store
    people = spread(people_in_both(store), choices.identities)
    rows = rows_of(store, people)
    places = lay_out(material.embeddings[rows])
    figure = blank(7.4, 5.2)
    axes = figure.add_subplot()
    for number, person in enumerate(people):
        for modality, mark in enumerate(MARKS):
            here = (store.identity[rows] == person) & (store.modality[rows] == modality)
            axes.plot(*places[here].T, linestyle="", **_mark(number, mark))
    axes.set(xlabel="t-SNE axis 1 (no unit)", ylabel="t-SNE axis 2 (no unit)")
    axes.set_aspect("equal", adjustable="datalim")
    axes.tick_params(labelbottom=False, labelleft=False, length=0)
    axes.set_title(f"test embeddings of {len(people)} people, {len(rows)} images", loc="left")
    figure.legend(handles=_legend(people), loc="outside right center")
    caption(
        figure,
        "t-SNE of cosine distances, seed fixed: who lies beside whom means something;\n"
        "distances between clusters and their sizes do not.",
    )
    return save(figure, out, "embeddings", _table(store, rows, places))


def _mark(number, mark):
    colour = COLOURS[number % len(COLOURS)]
    return {
        "marker": mark,
        "markersize": 6,
        "color": colour,
        "markerfacecolor": colour if number < len(COLOURS) else "white",
        "markeredgewidth": 1.2,
        "alpha": 0.85,
    }


def _legend(people):
    handles = [
        Line2D([], [], linestyle="", label=f"person {person}", **_mark(number, "s"))
        for number, person in enumerate(people)
    ]
    grey = {"linestyle": "", "color": "#666666", "markersize": 6}
    gap = Line2D([], [], linestyle="", label=" ")
    return [*handles, gap] + [
        Line2D([], [], marker=mark, label=name, **grey)
        for mark, name in zip(MARKS, MODALITIES, strict=True)
    ]


def rows_of(store: ImageStore, people: Int[np.ndarray, " k"]) -> Int[np.ndarray, " r"]:
    """Return the rows of `people`, at most 20 images of each in each modality, evenly spaced."""
    each = [
        spread(np.flatnonzero((store.identity == person) & (store.modality == modality)), EACH)
        for person in people
        for modality in range(len(MODALITIES))
    ]
    return np.concatenate(each)


def lay_out(embeddings: Float[np.ndarray, "r d"]) -> Float[np.ndarray, "r 2"]:
    """Return places in the plane by t-SNE over cosine distances; the same on each call."""
    from sklearn.manifold import TSNE  # an extra, and a second to import
    from threadpoolctl import threadpool_limits

    # Few points can have few neighbours only.
    perplexity = min(30.0, (len(embeddings) - 1) / 3)
    method = TSNE(2, perplexity=perplexity, metric="cosine", init="pca", random_state=0)
    # Threads that wait for one another spin: on busy cores a second becomes a minute. One thread
    # also adds up in the same order on every machine.
    with threadpool_limits(1):
        return method.fit_transform(embeddings)


def _table(store, rows, places):
    table = Table("path", "identity", "modality", "tsne_1", "tsne_2")
    for row, (x, y) in zip(rows, places, strict=True):
        table.add(store.path[row], store.identity[row], MODALITIES[store.modality[row]], x, y)
    return table
