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
        found = dataset.inspect(root, tuple(trials))
        _shorten_missing(found, dataset)
        return found
    return {None: dataset.inspect(root)}


def _shorten_missing(listings: dict[int | None, Listing], dataset: Dataset) -> None:
    """Replace the problems of trials without any list by one that names those with lists."""
    without = [trial for trial, listing in listings.items() if not listing.splits]
    there = [str(trial) for trial, listing in listings.items() if listing.splits]
    if not without or not there:
        return
    for trial in without:
        listings[trial].problems.clear()
        listings[trial].mismatches.clear()
    text = (
        f"the lists of {len(without)} of {len(listings)} trials of {dataset.title} are not there; "
        f"those of {', '.join(there)} are: add --trial={','.join(there)}"
    )
    listings[without[0]].problems.append(Problem("--trial", text))


def _hint(root: Path, dataset: Dataset) -> Problem | None:
    """Return which data set `root` holds instead, or where below it `dataset` begins."""
    for other in DATASETS.values():
        if other.name != dataset.name and _resembles(root, other):
            text = f"{root} looks like {other.title}, not {dataset.title}: --dataset={other.name}"
            return Problem("--dataset", text)
    if begin := _begins_below(root, dataset):
        return Problem("--source", begin)
    if other_case := _other_case(root, dataset):
        text = f"rename {', '.join(other_case)}: capital letters matter"
        return Problem("--source", text)
    if _resembles(root, dataset):
        lists = dataset.landmarks[-1]
        text = (
            f"the lists of splits come with {dataset.title}'s archive, not with code that uses it: "
            f"copy the folder {lists} here"
        )
        return Problem(lists, text)
    return None


def _begins_below(root: Path, dataset: Dataset) -> str | None:
    """Return in which folder below `root` the data set begins, up to two folders deep."""
    lists = dataset.landmarks[-1]
    below = [Path(name) for name in subfolders(root)[:MOST_SUBFOLDERS]]
    deeper = [name / inner for name in below for inner in subfolders(root / name)]
    for folder in [*below, *deeper[:MOST_SUBFOLDERS]]:
        if not _resembles(root / folder, dataset):
            continue
        if not (root / folder / lists).is_dir() and (root / lists).is_dir():
            return f"move the folder {lists} into {folder}, then --source={root / folder}"
        return f"{dataset.title} begins in a folder below: --source={root / folder}"
    return None


def _other_case(root: Path, dataset: Dataset) -> list[str]:
    """Return 'visible to Visible', ... where folders differ from landmarks in capitals only."""
    there = {name.lower(): name for name in subfolders(root)}
    return [
        f"{there[name.lower()]} to {name}"
        for name in dataset.landmarks
        if name.lower() in there and there[name.lower()] != name
    ]


def _resembles(root: Path, dataset: Dataset) -> bool:
    """Return whether all folders of images are there; the lists may be missing."""
    folders = dataset.landmarks[:-1]
    return bool(folders) and all(os.path.isdir(root / folder) for folder in folders)
