"""A run of BDTR beside the run that is drawn: the H of figure 5."""

from pathlib import Path

import numpy as np

from dmcf_jax.errors import Problem, UserError
from dmcf_jax.reports.figures.inputs import FigureInputs
from dmcf_jax.reports.figures.level_similarity import LevelSimilarity, Pairs, compare_levels
from dmcf_jax.runs.other_data import DataChoice

METHOD = "bdtr"  # whose high level the paper shows
NAME = "H"
_DATA = ("data.name", "data.trial")  # two runs with the same have the same test split


def problems(inputs: FigureInputs, beside: Path, data: DataChoice) -> list[Problem]:
    """Return why the run in `beside` cannot be shown with those of `inputs`.

    Args:
        data: to draw from; by default that of each run, which must be of one test split.
    """
    if not (beside / "config.json").exists():
        text = f"--beside={beside} holds no run (no config.json)"
        return [Problem("--beside", text)]
    theirs = FigureInputs(beside, data).config
    if theirs.method.name != METHOD:
        text = f"--beside={beside} is a run of {theirs.method.name}, expected {METHOD}"
        return [Problem("--beside", text)]
    pairs = {name: (_field(inputs.config, name), _field(theirs, name)) for name in _DATA}
    return [
        Problem(name, f"{name} is {there!r} of --beside={beside}, expected {here!r}: its own")
        for name, (here, there) in pairs.items()
        if here != there
    ]


def _field(config, name):
    room, field = name.split(".")
    return config[room][field]


def high_level(
    inputs: FigureInputs, beside: Path, data: DataChoice, pairs: Pairs
) -> LevelSimilarity:
    """Return the maps of `pairs` at the last level of the run in `beside`, and their similarity.

    Its network sees the same pictures in its own size.

    Raises:
        UserError: its test split has other pictures.
    """
    theirs = FigureInputs(beside, data)
    if not np.array_equal(theirs.store.path, inputs.store.path):
        text = f"--beside={beside} has other test images than {inputs.runs[0]}: name one with the"
        raise UserError(f"{text} same prepared data, or --data_dir for both", about="--beside")
    levels = compare_levels(theirs.trained, theirs.store, pairs)
    return list(levels.values())[-1]
