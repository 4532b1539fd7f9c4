"""The page that compares runs: configs, figures and curves side by side."""

from collections.abc import Sequence

from dmcf_jax.reports import compared_runs
from dmcf_jax.reports.compared_runs import Cells, ComparedRun
from dmcf_jax.reports.html.line_chart import legend, line_chart
from dmcf_jax.reports.html.page import document, soft, table


def compare_page(runs: Sequence[ComparedRun]) -> str:
    """Return one self-contained HTML page."""
    config = compared_runs.config_table(runs)
    parts = [
        soft(compared_runs.notes(runs)),
        "<h2>Figures</h2>",
        _table(compared_runs.figure_table(runs)),
        "<h2>Config fields that differ</h2>",
        _table(config) if len(config) > 1 else soft(["None that changes results."]),
        "<h2>Curves</h2>",
        _charts(runs),
    ]
    return document("Compared runs", "".join(parts))


def _charts(runs: Sequence[ComparedRun]) -> str:
    names, curves = [run.name for run in runs], compared_runs.curves(runs)
    if not curves:
        return soft(["No value was logged by two runs."])
    charts = "".join(line_chart(name, by_run, names) for name, by_run in curves.items())
    return f'{legend(names)}<div class="levels">{charts}</div>'


def _table(cells: Cells) -> str:
    header, *rows = cells
    return table(header, rows)
