"""Which runs a table needs: one for each row, split of the data and seed."""

import dataclasses
import functools
import sys
from collections.abc import Sequence
from pathlib import Path

from ml_collections import ConfigDict

from dmcf_jax.cli.app import read_config
from dmcf_jax.config.validate import validate
from dmcf_jax.errors import UserError
from dmcf_jax.evaluation.protocols import DEFAULT_PROTOCOLS
from dmcf_jax.methods.dmcf.published import TABLE_ROWS, WHOLE
from dmcf_jax.runs.collection import run_folder

ROOT = Path(__file__).parents[2]
DATA = ("regdb", "sysu_mm01", "synthetic")
TABLES = (1, 2, 3)


@dataclasses.dataclass(frozen=True)
class Run:
    """One training run of an experiment and its evaluation.

    row: name in the table, a variant or the stem of the user's own config.
    words: flags of scripts/train.py that say what is trained, `--config=...` first.
    trial: split of the data, None where there is one.
    """

    row: str
    words: tuple[str, ...]
    trial: int | None
    seed: int
    folder: Path

    @property
    def name(self) -> str:
        """What people call it: row/trial_T_seed_S."""
        return f"{self.row}/{self.folder.name}"

    @functools.cached_property
    def config(self) -> ConfigDict:
        """The resolved config, as scripts/train.py will see it."""
        return read_config(self.words)

    def train_command(self) -> list[str]:
        """Return the command that trains it, or goes on where it stands."""
        script = str(ROOT / "scripts" / "train.py")
        return [sys.executable, script, *self.words, f"--workdir={self.folder}"]

    def evaluate_command(self) -> list[str]:
        """Return the command that evaluates it by the usual protocols of its data."""
        script = str(ROOT / "scripts" / "evaluate.py")
        return [sys.executable, script, f"--workdir={self.folder}"]

    def protocols(self) -> tuple[str, ...]:
        """Return the protocols by which it is evaluated."""
        return DEFAULT_PROTOCOLS[self.config.data.name]


def plan(
    table: int,
    data: str,
    workdir: Path,
    *,
    data_dir: Path | None = None,
    seeds: Sequence[int] = (),
    trials: Sequence[int] = (),
    rows: Sequence[str] = (),
    settings: Sequence[str] = (),
) -> list[Run]:
    """Return the runs of a table, the quickest overview first: seed by seed, then row by row.

    Args:
        table: of the paper, 1 (the whole method), 2 or 3 (its ablations).
        data: one of `DATA`.
        workdir: folder of the experiment; tables that share a row share its runs.
        data_dir: where records lie; by default what the config says, for synthetic the workdir.
        seeds, trials: by default one seed and all ten splits on RegDB, three seeds on made-up
            people. SYSU-MM01 has one split: its ten trials are draws of one evaluation.
        rows: by default the paper's. Names of variants, or config files of the user's own with
            `file.py:argument`, whose row is called after the file and the argument.
        settings: `field=value` for every run, such as `train.steps=1000`.

    Raises:
        UserError: for unknown names and for configs that cannot be run, all at once.
    """
    seeds = tuple(seeds) or ((0, 1, 2) if data == "synthetic" else (0,))
    trials = _trials(data, tuple(trials))
    files = [_row(name, data) for name in rows or _paper_rows(table)]
    if data_dir is None and data == "synthetic":
        data_dir = workdir / "data"
    placed = [] if data_dir is None else [f"data.data_dir={data_dir}"]
    common = [f"--config.{setting}" for setting in [*placed, *settings]]
    runs = [
        _run(workdir, row, file, trial, seed, common)
        for seed in seeds
        for trial in trials
        for row, file in files
    ]
    _check(runs)
    return runs


def _paper_rows(table):
    return (WHOLE,) if table == 1 else TABLE_ROWS[table]


def _trials(data, trials):
    if data == "sysu_mm01":
        if trials:
            raise UserError(
                f"--trials={','.join(map(str, trials))}: SYSU-MM01 has one split of identities; "
                "its ten trials are draws of the gallery, which every evaluation makes. Leave it "
                "out, or vary --seeds"
            )
        return (None,)
    return trials or ((1,) if data == "synthetic" else tuple(range(1, 11)))


def _row(name, data):
    """Return (row, what --config takes)."""
    own, _, argument = name.partition(":")
    if own.endswith(".py"):
        return "_".join([Path(own).stem, *filter(None, [argument])]), name
    file = str(ROOT / "configs" / f"{data}.py")
    return name, file if name == WHOLE else f"{file}:{name}"


def _run(workdir, row, file, trial, seed, common):
    words = [f"--config={file}", f"--config.seed={seed}"]
    words += [] if trial is None else [f"--config.data.trial={trial}"]
    folder = run_folder(workdir, row, trial, seed)
    return Run(row, (*words, *common), trial, seed, folder)


def _check(runs):
    problems = []
    for run in runs:
        try:
            validate(run.config)
        except UserError as error:
            problems.append(f"{run.row}: {error}")
    twice = sorted({run.name for run in runs if sum(r.folder == run.folder for r in runs) > 1})
    problems += [f"{name} is asked for twice" for name in twice]
    if problems:
        raise UserError.listing("these runs cannot be made:", list(dict.fromkeys(problems)))
