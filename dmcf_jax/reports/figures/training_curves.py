"""Every loss and every sigma over training: whether a run went as it should."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import colormaps

from dmcf_jax.reports.figures.canvas import DASHES, PALE, Table, blank, in_style, save

PANELS = (
    ("level_", "level loss, eq. 12-14 (sum of terms)"),
    ("L", "loss term, eq. 8-11 (nats; triplets: distance)"),
    ("sigma_", "sigma, eq. 15 (no unit)"),
)


@in_style
def training_curves(metrics: Sequence[dict], weighting_starts_at: int, out: Path) -> list[Path]:
    """Draw every loss and every sigma over the steps of `metrics.jsonl`.

    Args:
        out: folder of `training_curves.png`, `.svg` and `.csv`.
    """
    steps = [line["step"] for line in metrics]
    figure = blank(12.0, 4.5)
    names = []
    for axes, (prefix, label) in zip(figure.subplots(1, len(PANELS)), PANELS, strict=True):
        here = [name for name in metrics[0] if name.startswith(prefix)]
        names += here
        colours = colormaps["viridis"](np.linspace(0, 0.85, len(here)))
        for number, (name, colour) in enumerate(zip(here, colours, strict=True)):
            # None, of a loss that was no number, becomes NaN: a gap.
            values = np.array([line[name] for line in metrics], float)
            line = DASHES[number % len(DASHES)]
            said = name if prefix == "L" else name.removeprefix(prefix)
            axes.plot(steps, values, label=said, color=colour, linestyle=line, linewidth=1.3)
        axes.axvline(weighting_starts_at, color=PALE, linestyle="--", linewidth=1)
        axes.set_xlabel("training step (dashed: learned weighting starts)")
        axes.set_ylabel(label)
        axes.legend(fontsize=8, ncols=4, loc="upper center", bbox_to_anchor=(0.5, -0.15))
    table = Table("step", *names)
    for line in metrics:
        table.add(line["step"], *(line[name] for name in names))
    return save(figure, out, "training_curves", table)
