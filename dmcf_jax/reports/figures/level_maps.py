"""Figure 5: B1, B2, B3 of the same person from both streams, and how alike they are."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from dmcf_jax.modality import MODALITIES
from dmcf_jax.reports.figures.canvas import Table, blank, caption, in_style, save
from dmcf_jax.reports.figures.level_similarity import MEASURED, choose_pairs, compare_levels
from dmcf_jax.reports.figures.material import Choices, Material, spread

MAP_COLOURS = "magma"
MOST_PAIRS = 12  # more are no figure any more


def problems(material: Material, choices: Choices) -> list[str]:
    """Return what is in the way of figure 5."""
    wrong = not 1 <= choices.pairs <= MOST_PAIRS
    too_many = [f"--pairs={choices.pairs}: choose 1 to {MOST_PAIRS}"] if wrong else []
    return too_many + material.problems()


@in_style
def draw(material: Material, choices: Choices, out: Path) -> list[Path]:
    """Draw pairs of images, their maps at each level and the similarity of the two maps.

    A map is the mean of the absolute activations over the channels, scaled by itself from its
    smallest to its largest value and shown in its own resolution. The similarity is that of the
    whole maps with all channels, see `level_similarity.similarities`.
    """
    store = material.store
    pairs = choose_pairs(store, MEASURED)
    levels = compare_levels(material.trained, store, pairs)
    shown = spread(np.arange(len(pairs.identity)), choices.pairs)
    figure = _blank(len(shown), len(levels), store.images.shape[1] / store.images.shape[2])
    across = min(2, len(shown))
    blocks = figure.subfigures(-(-len(shown) // across), across, squeeze=False, wspace=0.04)
    for block, pair in zip(blocks.flat, shown, strict=False):
        images = [store.images[rows[pair]] for rows in (pairs.visible, pairs.infrared)]
        _draw_pair(block, images, levels, pair, f"person {pairs.identity[pair]}")
    caption(figure, _caption(levels, len(pairs.identity)))
    return save(figure, out, "figure_5_levels", _table(levels, pairs, store.path, shown))


def _blank(pairs, levels, slenderness):
    across = min(2, pairs)
    width = across * (1.05 * (levels + 1) + 0.5) + 0.3
    down = -(-pairs // across)
    return blank(max(width, 5.0), down * (2 * 0.98 * slenderness + 0.85) + 0.75)


def _draw_pair(block, images, levels, pair, title):
    block.suptitle(title, fontsize=10)
    axes = block.subplots(len(MODALITIES), 1 + len(levels), gridspec_kw={"hspace": 0.02})
    for number, (line, name) in enumerate(zip(axes, MODALITIES, strict=True)):
        line[0].imshow(images[number])
        line[0].set_ylabel(name)
        for axis, level in zip(line[1:], levels.values(), strict=True):
            _draw_map(axis, getattr(level, name)[pair], images[number].shape)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
        axis.grid(False)
        axis.spines[:].set_visible(False)
    axes[0, 0].set_title("image", fontsize=9)
    for number, (name, level) in enumerate(levels.items(), start=1):
        axes[0, number].set_title(f"B{number} ({name})", fontsize=9)
        axes[1, number].set_xlabel(
            f"similarity {level.same[pair]:.2f}\nothers {level.mean_different:.2f}", fontsize=8.5
        )


def _draw_map(axis, activations, shape):
    height, width = shape[:2]
    axis.imshow(scaled(activations), cmap=MAP_COLOURS, vmin=0, vmax=1, extent=(0, width, height, 0))


def scaled(activations: Float[np.ndarray, "y x c"]) -> Float[np.ndarray, "y x"]:
    """Return the mean of |activation| over channels, from 0 (its smallest) to 1 (its largest)."""
    strength = np.abs(activations).mean(axis=-1)
    strength = strength - strength.min()
    return strength / max(float(strength.max()), 1e-12)


def _caption(levels, count):
    means = ", ".join(
        f"B{number} {level.same.mean():.3f} / {level.mean_different:.3f}"
        for number, level in enumerate(levels.values(), start=1)
    )
    return (
        "Maps: mean |activation| over channels, each scaled by itself (dark: its least, bright: "
        "its greatest; no unit).\n"
        "Similarity: cosine of the visible and the infrared map, flattened over places and all "
        "channels, nothing subtracted;\nits size depends on the level itself, so "
        "compare it with others: the mean over pairs of different people.\n"
        f"Mean over {count} people's pairs, same / different people: {means}."
    )


def _table(levels, pairs, paths, shown):
    table = Table(
        "level", "identity", "visible", "infrared", "shown",
        "similarity_same", "mean_similarity_same", "mean_similarity_different",
    )  # fmt: skip
    for name, level in levels.items():
        means = float(level.same.mean(dtype=np.float64)), level.mean_different
        for pair, (who, visible, infrared) in enumerate(
            zip(pairs.identity, paths[pairs.visible], paths[pairs.infrared], strict=True)
        ):
            here = "yes" if pair in shown else "no"
            table.add(name, who, visible, infrared, here, level.same[pair], *means)
    return table
