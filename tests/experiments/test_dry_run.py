"""A plan says which of its runs have no data."""

import io

from rich.console import Console
from support.trees import write_regdb

from dmcf_jax.data.records.prepare import prepare
from dmcf_jax.experiments.plan import plan
from dmcf_jax.experiments.status import overview


def test_trials_that_are_not_prepared_are_marked(tmp_path):
    write_regdb(tmp_path / "source", trials=(1, 2))
    prepare("regdb", tmp_path / "source", tmp_path / "data", trial="1,2", unofficial=True)
    choices = {"data_dir": tmp_path / "data", "trials": [1, 2, 3], "rows": ["dmcf"]}
    runs = plan(1, "regdb", tmp_path / "tables", **choices)
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(overview(runs))
    lines = [line for line in console.export_text().splitlines() if "trial_" in line]
    assert ["data not prepared" in line for line in lines] == [False, False, True]
