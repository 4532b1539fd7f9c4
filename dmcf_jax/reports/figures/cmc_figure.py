"""The CMC curves of one or more results, drawn."""

import io
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from dmcf_jax.evaluation.results import title


def cmc_figure(results: Sequence[Mapping]) -> dict[str, bytes]:
    """Return {'.png': ..., '.svg': ...}: mean CMC in percent over rank, a band of one deviation.

    The background is white, so that the figure can be read on a dark page too.
    """
    figure = Figure(figsize=(5.5, 4), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for result in results:
        _draw(axes, result)
    axes.set_xlabel("rank")
    axes.set_ylabel("matching rate (%)")
    axes.set_ylim(0, 102)
    last = max(len(result["mean"]["cmc"]) for result in results)
    step = max(1, round(last / 4))
    axes.set_xticks(sorted({1, *range(step, last + 1, step)}))
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", fontsize="small")
    return {".png": _saved(figure, "png"), ".svg": _saved(figure, "svg")}


def _draw(axes, result):
    ranks = np.array([int(rank) for rank in result["mean"]["cmc"]])
    mean, spread = (100 * np.array(list(result[n]["cmc"].values())) for n in ("mean", "std"))
    label = f"{title(result)} (mAP {100 * result['mean']['mAP']:.2f} %)"
    (line,) = axes.plot(ranks, mean, marker="o", markersize=3, label=label)
    if len(result["trials"]) > 1:
        axes.fill_between(
            ranks, mean - spread, mean + spread, color=line.get_color(), alpha=0.2, linewidth=0
        )


def _saved(figure, kind):
    content = io.BytesIO()
    # No date and a fixed salt: the same result gives the same file.
    metadata = {"Date": None} if kind == "svg" else None
    with matplotlib.rc_context({"svg.hashsalt": "dmcf_jax"}):
        figure.savefig(content, format=kind, dpi=150, metadata=metadata)
    return content.getvalue()
