"""Reading a tree as a given data set, with a hint where it is another one's."""

import os
from collections.abc import Sequence
from pathlib import Path

from dmcf_jax.data.datasets import DATASETS
from dmcf_jax.data.datasets.dataset import Dataset
from dmcf_jax.data.datasets.image_folders import subfolders
from dmcf_jax.data.datasets.listing import Listing
from dmcf_jax.errors import Problem

MOST_SUBFOLDERS = 100  # looked into for a root that begins one folder below


def inspect_tree(
    dataset: Dataset, root: Path, trials: Sequence[int | None] = (None,)
) -> dict[int | None, Listing]:
    """Return what `root` holds of `dataset` in each of `trials`, (None,) where there are none.

    Without all its landmarks every line of every list would point nowhere, so only the missing
    folders are reported, for the first trial.
    """
    if dataset.inspect is None:
        raise ValueError(f"{dataset.name} has no layout that could be inspected")
    missing = [folder for folder in dataset.landmarks if not os.path.isdir(root / folder)]
    if missing:
        hint = _hint(root, dataset)
        problems = [Problem(name, f"{root / name}: this folder is missing") for name in missing]
        return {trials[0]: Listing(problems=([hint] if hint else []) + problems)}
    if dataset.trials:
        return dataset.inspect(root, tuple(trials))
    return {None: dataset.inspect(root)}


def _hint(root: Path, dataset: Dataset) -> Problem | None:
    """Return which data set `root` holds instead, or where below it `dataset` begins."""
    for other in DATASETS.values():
        if other.name != dataset.name and _resembles(root, other):
            text = f"{root} looks like {other.title}, not {dataset.title}: --dataset={other.name}"
            return Problem("--dataset", text)
    for folder in subfolders(root)[:MOST_SUBFOLDERS]:
        if _resembles(root / folder, dataset):
            text = f"{dataset.title} begins one folder below: --source={root / folder}"
            return Problem("--source", text)
    return None


def _resembles(root: Path, dataset: Dataset) -> bool:
    """Return whether all folders of images are there; the lists may be missing."""
    folders = dataset.landmarks[:-1]
    return bool(folders) and all(os.path.isdir(root / folder) for folder in folders)
