"""Train and evaluate all rows of a table, of the paper or of today, and write it.

dmcf experiments --table=2 --data=regdb --data_dir=data --workdir=runs/tables
dmcf experiments --table=1 --data=regdb --data_dir=data --workdir=runs/tables --rows=hog,bdtr,dmcf
dmcf experiments --table=strong --data=regdb --data_dir=data --workdir=runs/tables
dmcf experiments --table=3 --data=synthetic --workdir=runs/tables --dry_run
dmcf experiments --table=2 --data=regdb --workdir=runs/tables --rows=dmcf,mine.py:wide

Run it again to resume after an interruption; tables that share rows share their runs.
"""

from absl import flags

from dmcf_jax.cli import app

_TABLE = flags.DEFINE_string(
    "table", None, "Table of the paper: 1, 2 or 3; or strong: what is trained today", required=True
)
_DATA = flags.DEFINE_string("data", None, "regdb, sysu_mm01 or synthetic", required=True)
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the experiment", required=True)
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder of the records of dmcf prepare_data")
_SEEDS = flags.DEFINE_list(
    "seeds", [], "Seeds, such as 0,1,2; by default 0, synthetic people 0,1,2"
)
_TRIALS = flags.DEFINE_list("trials", [], "Splits of RegDB; by default all ten, synthetic people 1")
_ROWS = flags.DEFINE_list(
    "rows", [], "Names of rows, or your own config files; by default the paper's that are there"
)
_SET = flags.DEFINE_multi_string("set", [], "field=value of the config of every run; repeat it")
_JOBS = flags.DEFINE_integer("jobs", 1, "Runs at a time, each on its share of cores and GPUs")
_DRY_RUN = flags.DEFINE_bool(
    "dry_run", False, "List the runs, and the time left where logs tell the speed"
)


def main() -> None:
    """Run the experiment and print its table."""
    from pathlib import Path

    from dmcf_jax.experiments.run_table import run_experiment

    text = run_experiment(
        int(_TABLE.value) if _TABLE.value.isdecimal() else _TABLE.value,
        _DATA.value,
        Path(_WORKDIR.value),
        data_dir=Path(_DATA_DIR.value) if _DATA_DIR.value else None,
        seeds=_numbers("seeds", _SEEDS.value),
        trials=_numbers("trials", _TRIALS.value),
        rows=_ROWS.value,
        settings=_SET.value,
        jobs=_JOBS.value,
        dry_run=_DRY_RUN.value,
    )
    if text:
        print(text)


def _numbers(name: str, words: list[str]) -> list[int]:
    from dmcf_jax.errors import UserError

    wrong = [word for word in words if not word.isdecimal()]
    if wrong:
        text = f"--{name}: {', '.join(wrong)} is no integer of at least 0"
        raise UserError(text, about=f"--{name}")
    return [int(word) for word in words]


if __name__ == "__main__":
    app.run(main)
