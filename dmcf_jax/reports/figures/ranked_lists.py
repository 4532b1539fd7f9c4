"""Ranked lists: the best and the worst queries with the images that were found first."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from dmcf_jax.data.image_store import ImageStore
from dmcf_jax.evaluation.nearest import Nearest, nearest
from dmcf_jax.evaluation.protocols import find_protocol
from dmcf_jax.modality import MODALITIES
from dmcf_jax.reports.figures.canvas import Table, blank, in_style, save
from dmcf_jax.reports.figures.material import Choices, Material

RIGHT, WRONG, QUERY = "#0072B2", "#D55E00", "#444444"
SHOWN = 10
CELL = 0.9  # inches across of an image


def problems(material: Material, choices: Choices) -> list[str]:
    """Return what is in the way of ranked lists."""
    return material.problems()


def draw(material: Material, choices: Choices, out: Path) -> list[Path]:
    """Draw the lists of both directions."""
    both = range(len(MODALITIES))
    return [p for q in both for p in ranked_lists(material.embeddings, material.store, q, out)]


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
        each: number of best and of worst queries, by average precision, of different people.
    """
    protocol = find_protocol(f"plain/{MODALITIES[query]}-to-{MODALITIES[1 - query]}")
    lists = nearest(protocol, embeddings, store, SHOWN)
    best, worst = choose_queries(lists, store, each)
    kinds = ["best"] * len(best) + ["worst"] * len(worst)
    chosen = [*best, *worst]
    slenderness = store.images.shape[1] / store.images.shape[2]
    figure = blank(CELL * (SHOWN + 1) + 0.6, (CELL * slenderness + 0.12) * len(chosen) + 0.5)
    figure.get_layout_engine().set(w_pad=0.04, h_pad=0.04, wspace=0.01, hspace=0.01)
    axes = figure.subplots(len(chosen), SHOWN + 1, squeeze=False)
    for line, number, kind in zip(axes, chosen, kinds, strict=True):
        _draw_list(line, lists, store, number)
        precision = 100 * lists.average_precision[number]
        line[0].set_ylabel(f"{kind}\nAP {precision:.0f} %", fontsize=9)
    axes[0][0].set_title("query", fontsize=9)
    figure.suptitle(
        f"{MODALITIES[query]} queries and their first {SHOWN} {MODALITIES[1 - query]} images "
        "with the cosine similarity: ✓ right, ✗ wrong person",
        fontsize=10.5,
    )
    table = _table(lists, store, chosen, kinds)
    return save(figure, out, f"ranked_{MODALITIES[query]}_queries", table)


def choose_queries(lists: Nearest, store: ImageStore, each: int) -> tuple[list, list]:
    """Return the best and the worst queries, one a person, none in both; worst last."""
    ranked = np.argsort(-lists.average_precision, kind="stable")
    _, first = np.unique(store.identity[lists.queries][ranked], return_index=True)
    people = ranked[np.sort(first)].tolist()
    half = min(each, len(people) // 2)
    return people[: max(half, 1)], people[len(people) - half :]


def _draw_list(axes, lists, store, number):
    _draw_image(axes[0], store.images[lists.queries[number]], QUERY)
    found = zip(lists.rows[number], lists.scores[number], lists.right[number], strict=True)
    for place, (row, score, right) in enumerate(found, start=1):
        if row < 0:
            continue
        colour = RIGHT if right else WRONG
        _draw_image(axes[place], store.images[row], colour)
        # A sign beside the colour, for readers who do not tell the two apart.
        mark = "✓" if right else "✗"
        axes[place].set_xlabel(f"{place} {mark} {score:.2f}", fontsize=8, color=colour)
    for axis in axes:
        axis.set_visible(bool(axis.images))


def _draw_image(axis, image, colour):
    axis.imshow(image)
    axis.set(xticks=[], yticks=[])
    axis.grid(False)
    axis.spines[:].set(visible=True, color=colour, linewidth=2.5)


def _table(lists, store, chosen, kinds):
    table = Table("kind", "average_precision", "query", "rank", "gallery", "score", "right")
    for number, kind in zip(chosen, kinds, strict=True):
        query = store.path[lists.queries[number]]
        found = zip(lists.rows[number], lists.scores[number], lists.right[number], strict=True)
        for rank, (row, score, right) in enumerate(found, start=1):
            if row >= 0:
                said = "right" if right else "wrong"
                precision = lists.average_precision[number]
                table.add(kind, precision, query, rank, store.path[row], score, said)
    return table
