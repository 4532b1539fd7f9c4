"""ROC curves, over a logarithmic FPR."""

import math
from collections.abc import Mapping, Sequence

from dmcf_jax.evaluation.results import marked_title
from dmcf_jax.reports.html.percent_chart import percent_chart


def roc_chart(results: Sequence[Mapping]) -> str:
    """Return an <svg> with the mean TPR of each result in percent over FPR; '' without any.

    FPRs that fewer pairs than 1 / FPR would have to show are not drawn.
    """
    found = {number: shown for number, one in enumerate(results) if (shown := _points(one))}
    if not found:
        return ""
    lowest = math.floor(min(math.log10(rate) for shown in found.values() for rate, _ in shown))

    def place(rate: float) -> float:
        return 1 - math.log10(rate) / lowest

    ticks = [(place(10.0**power), f"{10.0**power:g}") for power in range(lowest, 1)]
    curves = {
        number: (
            marked_title(results[number]),
            [
                (place(rate), share, f"FPR {rate:g}: TPR {100 * share:.2f} %")
                for rate, share in shown
            ],
        )
        for number, shown in found.items()
    }
    return percent_chart("ROC curves", "FPR", "TPR, %", ticks, curves)


def _points(result: Mapping) -> list[tuple[float, float]]:
    """Return (FPR, TPR) as fractions, ascending."""
    rates = result["mean"].get("verification", {}).get("tpr_at_fpr", {})
    if not rates:
        return []
    fewest = min(trial["verification"]["different_person_pairs"] for trial in result["trials"])
    found = sorted((float(rate), share) for rate, share in rates.items())
    return [(rate, share) for rate, share in found if rate * fewest >= 1]
