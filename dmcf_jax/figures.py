"""Figures of a run: ranked lists, and the curves of losses and sigmas."""

import os
from pathlib import Path

import matplotlib
import numpy as np
from jaxtyping import Float

from dmcf_jax.data.image_store import ImageStore
from dmcf_jax.data.modality import NAMES

matplotlib.use("Agg")  # files only; no screen is needed

from matplotlib import pyplot as plt  # noqa: E402

RIGHT, WRONG, QUERY = "#1a9641", "#d7191c", "#444444"
SHOWN = 10


def save_atomically(figure: plt.Figure, path: Path) -> Path:
    """Write a figure as PNG beside `path`, rename it and close it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.stem + ".incomplete.png")
    figure.savefig(temporary, dpi=130, bbox_inches="tight", facecolor="white")
    plt.close(figure)
    os.replace(temporary, path)
    return path


def ranked_lists(
    embeddings: Float[np.ndarray, "n d"], store: ImageStore, query: int, path: Path, each: int = 4
) -> Path:
    """Draw the best and the worst queries with their first ten gallery images.

    Args:
        embeddings: of all images of `store`, unit length.
        query: modality of the queries; the gallery is the other one.
        each: number of best and of worst queries, by average precision.
    """
    queries, gallery = (np.flatnonzero((store.modality == query) == side) for side in (True, False))
    similarity = embeddings[queries] @ embeddings[gallery].T
    order = np.argsort(-similarity, axis=1, kind="stable")
    hits = store.identity[gallery][order] == store.identity[queries][:, None]
    precision = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
    average_precision = (precision * hits).sum(1) / np.maximum(hits.sum(1), 1)
    ranked = _one_an_identity(np.argsort(-average_precision, kind="stable"), store, queries)
    chosen = [*ranked[:each], *ranked[-each:]]
    figure, axes = plt.subplots(
        len(chosen), SHOWN + 1, figsize=(1.05 * (SHOWN + 1), 2.1 * len(chosen)), squeeze=False
    )
    for row, (line, number) in enumerate(zip(axes, chosen, strict=True)):
        _draw_ranked_list(
            line,
            store.images[queries[number]],
            store.images[gallery[order[number, :SHOWN]]],
            hits[number, :SHOWN],
        )
        kind = "best" if row < each else "worst"
        line[0].set_ylabel(f"{kind}\nAP {100 * average_precision[number]:.0f}%", fontsize=9)
    axes[0][0].set_title(f"query\n({NAMES[query]})", fontsize=9)
    figure.suptitle(
        f"{NAMES[query]} queries and their first {SHOWN} {NAMES[1 - query]} images: "
        "green right, red wrong",
        fontsize=11,
        y=0.905,
    )
    return save_atomically(figure, path)


def _one_an_identity(ranked, store, queries):
    """Keep the first query of each identity, so that a figure shows different people."""
    _, first = np.unique(store.identity[queries][ranked], return_index=True)
    return ranked[np.sort(first)]


def _draw_ranked_list(axes, query, found, hits):
    for place, (axis, image) in enumerate(zip(axes, [query, *found], strict=False)):
        axis.imshow(image, aspect="auto")
        axis.set_xticks([])
        axis.set_yticks([])
        right = place == 0 or hits[place - 1]
        colour = QUERY if place == 0 else RIGHT if right else WRONG
        if place:
            # A sign beside the colour, for readers who do not tell red from green.
            axis.set_xlabel(f"{place} {'✓' if right else '✗'}", fontsize=9, color=colour)
        for spine in axis.spines.values():
            spine.set_color(colour)
            spine.set_linewidth(3)
    for axis in axes[1 + len(found) :]:
        axis.set_visible(False)


def training_curves(metrics: list[dict], weighting_starts_at: int, path: Path) -> Path:
    """Draw every loss and every sigma over the steps of `metrics.jsonl`."""
    steps = [line["step"] for line in metrics]
    figure, (levels, losses, sigmas) = plt.subplots(1, 3, figsize=(15, 4))
    for axis, prefix, label in (
        (levels, "level_", "level loss (eq. 12-14)"),
        (losses, "L", "loss term (eq. 8-11)"),
        (sigmas, "sigma_", "sigma (eq. 15)"),
    ):
        names = [name for name in metrics[0] if name.startswith(prefix)]
        colours = plt.get_cmap("viridis")(np.linspace(0, 0.9, len(names)))
        for name, colour in zip(names, colours, strict=True):
            label_text = name.removeprefix(prefix) if prefix != "L" else name
            values = [line[name] for line in metrics]
            axis.plot(steps, values, label=label_text, color=colour, linewidth=1.3)
        axis.axvline(weighting_starts_at, color="gray", linestyle="--", linewidth=1)
        axis.set_xlabel("step (dashed: learned weighting starts)")
        axis.set_ylabel(label)
        axis.legend(fontsize=8, ncol=2 if len(names) > 4 else 1)
    return save_atomically(figure, path)
