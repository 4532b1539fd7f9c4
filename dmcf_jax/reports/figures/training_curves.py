"""Every loss and every sigma over training, to see whether a run converges."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps

from dmcf_jax.reports.figures.plotting import DASHES, PALE, Table, in_style, new_figure, save

PANELS = (
    ("level_", "level loss, eq. 12-14 (sum of terms)"),
    ("L", "loss term, eq. 8-11 (nats; triplets: distance)"),
    ("sigma_", "sigma, eq. 15 (no unit)"),
)


@in_style
def training_curves(
    metrics: Sequence[Mapping[str, Any]], weighting_start_step: int, out: Path
) -> list[Path]:
    """Draw every loss and every sigma over the steps of `metrics.jsonl`.

    Args:
        metrics: lines of the log; a value that was not finite is None and leaves a gap.
        weighting_start_step: where the learned weighting of the levels starts.
        out: folder of `training_curves.png`, `.svg` and `.csv`.
    """
    steps = [line["step"] for line in metrics]
    figure = new_figure(12.0, 4.5)
    names = []
    for axes, (prefix, label) in zip(figure.subplots(1, len(PANELS)), PANELS, strict=True):
        in_panel = [name for name in metrics[0] if name.startswith(prefix)]
        names += in_panel
        colours = colormaps["viridis"](np.linspace(0, 0.85, len(in_panel)))
        for number, (name, colour) in enumerate(zip(in_panel, colours, strict=True)):
            values = np.array([line[name] for line in metrics], float)  # None becomes NaN
            dashes = DASHES[number % len(DASHES)]
            short = name if prefix == "L" else name.removeprefix(prefix)
            axes.plot(steps, values, label=short, color=colour, linestyle=dashes, linewidth=1.3)
        axes.axvline(weighting_start_step, color=PALE, linestyle="--", linewidth=1)
        axes.set_xlabel("training step (dashed line: learned weighting starts)")
        axes.set_ylabel(label)
        axes.legend(fontsize=8, ncols=4, loc="upper center", bbox_to_anchor=(0.5, -0.15))
    table = Table("step", *names)
    for line in metrics:
        table.add(line["step"], *(line[name] for name in names))
    return save(figure, out, "training_curves", table)
