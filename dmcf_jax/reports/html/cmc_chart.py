"""CMC curves, over the rank."""

from collections.abc import Mapping, Sequence

from dmcf_jax.evaluation.results import marked_title
from dmcf_jax.reports.html.percent_chart import percent_chart


def cmc_chart(results: Sequence[Mapping]) -> str:
    """Return an <svg> with the mean CMC of each result in percent over rank, and its legend."""
    last = max(len(result["mean"]["cmc"]) for result in results)

    def place(rank: int) -> float:
        return (rank - 1) / max(last - 1, 1)

    step = max(1, round(last / 4))
    ticks = [(place(rank), str(rank)) for rank in sorted({1, *range(step, last + 1, step)})]
    curves = {
        number: (
            marked_title(result),
            [
                (place(int(rank)), share, f"rank {rank}: {100 * share:.2f} %")
                for rank, share in result["mean"]["cmc"].items()
            ],
        )
        for number, result in enumerate(results)
    }
    return percent_chart("CMC curves", "rank", "CMC, %", ticks, curves)
