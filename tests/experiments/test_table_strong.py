"""The table of today's methods: published figures and lengths, and what was run here."""

import pytest

from dmcf_jax.experiments.plan import plan
from dmcf_jax.experiments.run_table import write_tables
from dmcf_jax.experiments.table_strong import comparison
from dmcf_jax.experiments.tables import Cell, Row

# As the authors' readme files and the papers print them: CMC-1 / mAP / mINP, and epochs x steps.
PRINTED = {
    "regdb": {
        "hctri": ("91.05", "83.28", "68.84", 61 * 65),
        "agw": ("70.05", "66.37", "50.19", 81 * 65),
        "caj": ("85.03", "79.14", "65.33", 100 * 65),
        "DMCF": ("39.75", "40.79", "-", 5000),
    },
    "sysu_mm01": {
        "hctri": ("61.68", "57.51", "39.54", 61 * 464),
        "agw": ("47.50", "47.65", "35.30", 81 * 696),
        "caj": ("69.88", "66.89", "53.61", 100 * 696),
        "DMCF": ("30.26", "33.38", "-", 50_000),
    },
}
ROWS = ["hctri", "agw", "caj", "strong", "dmcf_strong", "DMCF"]


def made_row(name, official=True):
    """Return a row of two runs with figures of its own."""
    cells = {"CMC-1": Cell(12.345, 0.5), "mAP": Cell(6.0, 0.25), "mINP": Cell(1.0, None)}
    return Row(name, 2, cells, None, None, official)


def cells_of(text):
    lines = [line for line in text.splitlines() if line.startswith("|")]
    header, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return header, {row[0]: row[1:] for row in rows}


@pytest.mark.parametrize("data", ["regdb", "sysu_mm01"])
def test_every_row_has_what_is_published_whether_run_or_not(data):
    text = comparison(data, "a protocol", [made_row("caj")], {"caj": 77, "agw": 88})
    header, rows = cells_of(text)
    assert header[:7] == [
        *("method", "basis", "runs", "steps published", "here", "CMC-1 published", "here")
    ]
    assert list(rows) == ROWS
    for name, cells in rows.items():
        *figures, steps = PRINTED[data].get(name, ("-", "-", "-", "-"))
        assert cells[2::2] == [str(steps), *figures]
        run = name == "caj"
        assert cells[1] == ("2" if run else "0")
        assert cells[3::2] == (["77", "12.35 ± 0.50", "6.00 ± 0.25", "1.00"] if run else ["-"] * 4)
    assert "not the published ones" not in text


def test_other_data_are_named_and_other_rows_follow():
    text = comparison("regdb", "a protocol", [made_row("mine", official=False)], {"mine": 5})
    _, rows = cells_of(text)
    assert list(rows) == [*ROWS, "mine"] and rows["mine"][:4] == ["-", "2", "-", "5"]
    assert "not the published ones" in text


def test_the_table_plans_its_rows_and_is_written_before_any_was_run(tmp_path):
    runs = plan("strong", "regdb", tmp_path, trials=[1])
    assert [run.row for run in runs] == [*ROWS[:-1], "dmcf"]
    text = write_tables("strong", "regdb", tmp_path, runs)
    assert (tmp_path / "table_strong.md").read_text() == text
    assert text.count("## Table strong") == 1 and "visible-to-thermal" in text
    synthetic = write_tables("strong", "synthetic", tmp_path, plan("strong", "synthetic", tmp_path))
    assert "published" not in synthetic.replace("Steps: one batch", "").split("\n\n")[1]
    assert synthetic.count("## Table strong") == 2
