"""The page that the demo ends on: matchers, training, ranked lists and a search."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dmcf_jax.data.image_store import ImageStore
from dmcf_jax.evaluation.nearest import Nearest
from dmcf_jax.reports.html.cmc_chart import cmc_chart
from dmcf_jax.reports.html.evaluation_page import Names, ranked_section
from dmcf_jax.reports.html.line_chart import legend, line_chart
from dmcf_jax.reports.html.page import document, soft, table
from dmcf_jax.reports.html.search_page import about_search, query_cards

EACH = 2  # best queries of a protocol, and worst ones
# Logged values by the start of their names, and what a chart of them shows.
CHARTS = {
    "level_": "loss of each level, eq. 12-14",
    "sigma_": "sigma, eq. 15",
    "distance_own_": "distance to own images",
    "distance_other_": "distance to other people",
}


@dataclasses.dataclass(frozen=True)
class DemoSearch:
    """A search among the test people.

    Attributes:
        found: what `run_search` returns.
        root: folder that its paths start from.
    """

    found: Mapping[str, Any]
    root: Path


def demo_page(
    matchers: Sequence[Sequence[str]],
    training: Sequence[str],
    log: Sequence[Mapping[str, Any]],
    results: Sequence[Mapping],
    lists: Sequence[Nearest],
    store: ImageStore,
    search: DemoSearch,
) -> str:
    """Return one self-contained HTML page.

    Args:
        matchers: header and rows of the table that compares them.
        training: lines of the run's summary.
        log: lines of metrics.jsonl.
        results: of the trained network, one for each protocol.
        lists: the ranked lists of each.
        store: test images; rows of `lists` are its rows.
        search: whose pictures are files.
    """
    header, *rows = matchers
    ranked = (
        ranked_section(*pair, store, Names(), EACH) for pair in zip(results, lists, strict=True)
    )
    parts = [
        soft(["Synthetic people in RegDB's layout; none of them was trained on."]),
        table(header, rows),
        cmc_chart(results),
        "<h2>Training</h2>",
        soft(training),
        f'<div class="levels">{"".join(_charts(log))}</div>',
        *ranked,
        "<h2>Search</h2>",
        about_search(search.found, len(search.found["results"])),
        query_cards(search.found, search.root, search.root),
    ]
    return document("dmcf_jax demo", "".join(parts))


def _charts(log: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a chart with its key for each of `CHARTS` that the run logged."""
    charts = []
    for start, name in CHARTS.items():
        series = [key for key in log[0] if key.startswith(start)]
        curves = {key: [(line["step"], line[key]) for line in log] for key in series}
        if series:
            short = [key.removeprefix(start) for key in series]
            charts.append(f"<div>{line_chart(name, curves, series)}{legend(short)}</div>")
    return charts
