"""Which runs a table needs: one for each row, split of the data and seed."""

import dataclasses
import functools
import sys
from collections.abc import Sequence
from pathlib import Path

from ml_collections import ConfigDict

from dmcf_jax.config.read import read_config
from dmcf_jax.config.validate import validate
from dmcf_jax.data.datasets import DATASETS
from dmcf_jax.errors import Problem, UserError
from dmcf_jax.experiments.rows import default_rows
from dmcf_jax.methods import METHODS
from dmcf_jax.methods.dmcf.published import BASELINE_ROW, COMPLETE
from dmcf_jax.runs.collection import run_folder

DATA = ("regdb", "sysu_mm01", "synthetic")
TABLES = (1, 2, 3, "strong")  # of the paper, and that of docs/recipes.md


@dataclasses.dataclass(frozen=True)
class Run:
    """One training run of an experiment and its evaluation.

    Attributes:
        row: name in the table, a variant or the stem of the user's own config.
        words: flags of `dmcf train` that say what is trained, `--config=...` first.
        trial: split of the data, None where there is one.
        seed: of weights, sampling and augmentation.
        folder: its workdir.
    """

    row: str
    words: tuple[str, ...]
    trial: int | None
    seed: int
    folder: Path

    @property
    def name(self) -> str:
        """Its name in messages: row/trial_T_seed_S."""
        return f"{self.row}/{self.folder.name}"

    @functools.cached_property
    def config(self) -> ConfigDict:
        """The resolved config, as `dmcf train` will see it."""
        return read_config(self.words)

    def train_command(self) -> list[str]:
        """Return the command that trains it, or resumes from its latest checkpoint."""
        return [*_command("train"), *self.words, f"--workdir={self.folder}"]

    def evaluate_command(self) -> list[str]:
        """Return the command that evaluates it by the default protocols of its data."""
        return [*_command("evaluate"), f"--workdir={self.folder}"]

    @property
    def is_trained(self) -> bool:
        """Whether its method is trained by steps; a matcher is not, and no seed changes it."""
        return METHODS[self.config.method.name].trained is not None

    def protocols(self) -> tuple[str, ...]:
        """Return the protocols by which it is evaluated."""
        return DATASETS[self.config.data.name].protocols


def _command(verb: str) -> list[str]:
    # The package of this process, which needs no `dmcf` on the path; -P: not the current folder's.
    return [sys.executable, "-P", "-m", f"dmcf_jax.cli.{verb}"]


def plan(
    table: int | str,
    data: str,
    workdir: Path,
    *,
    data_dir: Path | None = None,
    seeds: Sequence[int] = (),
    trials: Sequence[int] = (),
    rows: Sequence[str] = (),
    settings: Sequence[str] = (),
) -> list[Run]:
    """Return the runs of a table, seed by seed, so that all rows have one run each early.

    Args:
        table: of the paper, 1 (all methods), 2 or 3 (ablations of the complete method); or
            'strong', what is trained today.
        data: one of `DATA`.
        workdir: folder of the experiment; tables that share a row share its runs.
        data_dir: of the records; by default the config's, for synthetic `<workdir>/data`.
        seeds: by default 0; for synthetic 0, 1 and 2. Matchers, which are not trained, have one
            run a split, of the first seed.
        trials: splits of RegDB, by default all ten; for synthetic 1. SYSU-MM01 has one split:
            its ten trials are draws of the gallery within one evaluation.
        rows: names of variants, or config files as `file.py` or `file.py:argument`, whose row
            is called after the file and the argument; by default those of `default_rows`.
        settings: `field=value` for every run, such as `train.steps=1000`.

    Raises:
        UserError: for unknown names and for configs that cannot be run, all at once.
    """
    seeds = tuple(seeds) or ((0, 1, 2) if data == "synthetic" else (0,))
    splits = _trials(data, tuple(trials))
    configs = [_row(name, data) for name in rows or default_rows(table, data)]
    if data_dir is None and data == "synthetic":
        data_dir = workdir / "data"
    data_fields = [] if data_dir is None else [f"data.data_dir={data_dir}"]
    common = [f"--config.{setting}" for setting in [*data_fields, *settings]]
    runs = [
        _run(workdir, row, config, trial, seed, common)
        for seed in seeds
        for trial in splits
        for row, config in configs
    ]
    _check(runs)
    return [run for run in runs if run.seed == seeds[0] or run.is_trained]


def baseline_runs(workdir: Path, runs: Sequence[Run]) -> list[Run]:
    """Return the baseline's runs on the splits and seeds of `runs`, whether they exist or not."""
    return [
        Run(BASELINE_ROW, (), trial, seed, run_folder(workdir, BASELINE_ROW, trial, seed))
        for trial, seed in dict.fromkeys((run.trial, run.seed) for run in runs)
    ]


def _trials(data: str, trials: tuple[int, ...]) -> tuple[int | None, ...]:
    if data == "synthetic":
        return trials or (1,)
    dataset = DATASETS[data]
    if trials and dataset.trials is None:
        raise UserError(
            f"--trials={','.join(map(str, trials))}: {dataset.title} has one split of identities; "
            "its ten trials are draws of the gallery, which every evaluation makes. Leave it "
            "out, or vary --seeds",
            about="--trials",
        )
    return trials or dataset.trial_numbers


def _row(name: str, data: str) -> tuple[str, str]:
    """Return (row, value of --config)."""
    own, _, argument = name.partition(":")
    if own.endswith(".py"):
        return "_".join([Path(own).stem, *filter(None, [argument])]), name
    return name, data if name == COMPLETE else f"{data}:{name}"


def _run(
    workdir: Path, row: str, config: str, trial: int | None, seed: int, common: list[str]
) -> Run:
    words = [f"--config={config}", f"--config.seed={seed}"]
    words += [] if trial is None else [f"--config.data.trial={trial}"]
    folder = run_folder(workdir, row, trial, seed)
    return Run(row, (*words, *common), trial, seed, folder)


def _check(runs: list[Run]) -> None:
    problems = []
    for run in runs:
        try:
            validate(run.config)
        except UserError as error:
            problems += [Problem(p.about, f"{run.row}: {p.text}") for p in error.problems]
    twice = sorted({run.name for run in runs if sum(r.folder == run.folder for r in runs) > 1})
    problems += [Problem(name, f"{name} is asked for twice") for name in twice]
    if problems:
        raise UserError.listing("these runs cannot be started:", list(dict.fromkeys(problems)))
