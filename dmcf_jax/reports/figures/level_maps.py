"""Figure 5: the maps B1, B2, B3 of a person in both streams, BDTR's H, and their similarity."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from dmcf_jax.errors import Problem
from dmcf_jax.methods import METHODS
from dmcf_jax.modality import MODALITIES
from dmcf_jax.reports.figures import beside
from dmcf_jax.reports.figures.inputs import FigureInputs, FigureOptions, spread
from dmcf_jax.reports.figures.level_similarity import (
    MEASURED,
    LevelSimilarity,
    Pairs,
    choose_pairs,
    compare_levels,
)
from dmcf_jax.reports.figures.plotting import Table, caption, in_style, new_figure, save

COLOUR_MAP = "magma"
MAX_PAIRS = 12  # more do not fit on a page
COLUMNS = 2  # pairs beside each other


def problems(inputs: FigureInputs, options: FigureOptions) -> list[Problem]:
    """Return why figure 5 cannot be drawn."""
    text = f"--pairs={options.pairs}: choose 1 to {MAX_PAIRS}"
    found = [] if 1 <= options.pairs <= MAX_PAIRS else [Problem("--pairs", text)]
    if missing := inputs.problems():
        return found + missing
    name = inputs.config.method.name
    if not METHODS[name].reads_field("model.levels"):
        text = f"{inputs.runs[0]} has no feature maps: its method is {name}"
        found.append(Problem("method.name", text))
    if options.beside:
        found += beside.problems(inputs, options.beside, options.data)
    return found


@in_style
def draw(inputs: FigureInputs, options: FigureOptions, out: Path) -> list[Path]:
    """Draw pairs of images, their maps at each level and the similarity of the two maps.

    A map is the mean of the absolute activations over the channels, scaled from its own smallest
    to its own largest value and shown in its own resolution. The similarity is that of the
    complete maps with all channels, see `level_similarity.similarities`. With `options.beside` the
    last level of that run of BDTR follows as H.
    """
    store = inputs.store
    pairs = choose_pairs(store, MEASURED)
    levels = compare_levels(inputs.trained, store, pairs)
    if options.beside:
        levels[beside.NAME] = beside.high_level(inputs, options.beside, options.data, pairs)
    shown = spread(np.arange(len(pairs.identity)), options.pairs).tolist()
    figure = _new_figure(len(shown), len(levels), store.images.shape[1] / store.images.shape[2])
    columns = min(COLUMNS, len(shown))
    blocks = figure.subfigures(-(-len(shown) // columns), columns, squeeze=False, wspace=0.04)
    for block, pair in zip(blocks.flat, shown, strict=False):
        images = [store.images[rows[pair]] for rows in (pairs.visible, pairs.infrared)]
        _draw_pair(block, images, levels, pair, f"person {pairs.identity[pair]}")
    caption(figure, _caption(levels, len(pairs.identity)))
    return save(figure, out, "figure_5_levels", _table(levels, pairs, store.path, shown))


def _new_figure(pairs: int, levels: int, aspect: float) -> Figure:
    """Return a figure for `pairs` pairs of images with `aspect` = height / width."""
    columns = min(COLUMNS, pairs)
    width = columns * (1.05 * (levels + 1) + 0.5) + 0.3
    rows = -(-pairs // columns)
    return new_figure(max(width, 5.0), rows * (2 * 0.98 * aspect + 0.85) + 0.75)


def _draw_pair(
    block: SubFigure,
    images: list[np.ndarray],
    levels: Mapping[str, LevelSimilarity],
    pair: int,
    title: str,
) -> None:
    """Draw one row for each modality: the image, then its map at each level."""
    block.suptitle(title, fontsize=10)
    axes = block.subplots(len(MODALITIES), 1 + len(levels), gridspec_kw={"hspace": 0.02})
    for row, image, modality in zip(axes, images, MODALITIES, strict=True):
        row[0].imshow(image)
        row[0].set_ylabel(modality)
        for axis, level in zip(row[1:], levels.values(), strict=True):
            _draw_map(axis, getattr(level, modality)[pair], image.shape)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
        axis.grid(False)
        axis.spines[:].set_visible(False)
    axes[0, 0].set_title("image", fontsize=9)
    for number, (name, level) in enumerate(levels.items(), start=1):
        axes[0, number].set_title(_title(number, name), fontsize=9)
        axes[1, number].set_xlabel(
            f"similarity {level.same[pair]:.2f}\nothers {level.mean_different:.2f}", fontsize=8.5
        )


def _title(number: int, level: str) -> str:
    return f"{level} (BDTR)" if level == beside.NAME else f"B{number} ({level})"


def _draw_map(
    axis: Axes, activations: Float[np.ndarray, "y x c"], image_shape: tuple[int, ...]
) -> None:
    height, width = image_shape[:2]
    extent = (0, width, height, 0)
    axis.imshow(scaled(activations), cmap=COLOUR_MAP, vmin=0, vmax=1, extent=extent)


def scaled(activations: Float[np.ndarray, "y x c"]) -> Float[np.ndarray, "y x"]:
    """Return the mean of |activation| over channels, from 0 (its smallest) to 1 (its largest)."""
    strength = np.abs(activations).mean(axis=-1)
    strength = strength - strength.min()
    return strength / max(float(strength.max()), 1e-12)


def _caption(levels: Mapping[str, LevelSimilarity], count: int) -> str:
    means = ", ".join(
        f"{_title(number, name).split()[0]} {level.same.mean():.3f} / {level.mean_different:.3f}"
        for number, (name, level) in enumerate(levels.items(), start=1)
    )
    return (
        "Maps: mean |activation| over channels, each scaled to its own range (dark: smallest, "
        "bright: largest; no unit).\n"
        "Similarity: cosine of the visible and the infrared map with all positions and channels; "
        "no mean is subtracted.\nIts typical value differs between levels: compare it with "
        "'others', the mean over pairs of different people.\n"
        f"Mean over pairs of {count} people, same / different person: {means}."
    )


def _table(
    levels: Mapping[str, LevelSimilarity], pairs: Pairs, paths: np.ndarray, shown: list[int]
) -> Table:
    table = Table(
        "level", "identity", "visible", "infrared", "shown",
        "similarity_same", "mean_similarity_same", "mean_similarity_different",
    )  # fmt: skip
    for name, level in levels.items():
        means = float(level.same.mean(dtype=np.float64)), level.mean_different
        for pair, (identity, visible, infrared) in enumerate(
            zip(pairs.identity, paths[pairs.visible], paths[pairs.infrared], strict=True)
        ):
            is_shown = "yes" if pair in shown else "no"
            table.add(name, identity, visible, infrared, is_shown, level.same[pair], *means)
    return table
