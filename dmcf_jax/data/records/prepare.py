"""Verify a download and build its records, or find them built already."""

import dataclasses
import os
import re
import sys
from pathlib import Path
from typing import Any

from dmcf_jax.data.datasets import find_dataset
from dmcf_jax.data.datasets.dataset import Dataset
from dmcf_jax.data.datasets.inspect_tree import inspect_tree
from dmcf_jax.data.datasets.listing import Listing
from dmcf_jax.data.records import prepared
from dmcf_jax.data.records.build import build
from dmcf_jax.data.records.measure import Measures
from dmcf_jax.data.records.verify_images import refuse, verify_images
from dmcf_jax.errors import UserError
from dmcf_jax.runtime.paths import local_path


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A prepared data set: its folder, its metadata, and whether this call built it."""

    path: Path
    trial: int | None
    metadata: dict[str, Any]
    built: bool

    def summary(self) -> str:
        """Return one line: where it is, what it holds, whether it is the published data set."""
        splits = "; ".join(
            f"{split} {of['identities']} ids, {of['visible']} visible + {of['infrared']} infrared"
            for split, of in self.metadata["counts"].items()
        )
        dataset = find_dataset(self.metadata["dataset"])
        kind = "official counts" if self.metadata["official"] else "unofficial"
        kind = dataset.title if dataset.published is None else kind
        what = "built" if self.built else "already there, left as it is"
        return f"{self.path}: {what} ({kind}; {splits})"


def prepare(
    dataset: str,
    source: str | Path | None,
    data_dir: str | Path,
    *,
    trial: str | int | None = "all",
    unofficial: bool = False,
    progress: bool = False,
) -> list[Prepared]:
    """Verify every image of `source` and build the records of `dataset` under `data_dir`.

    What is prepared already and complete is left alone, at no cost. Nothing is written before
    everything has been verified, and a build that fails leaves nothing behind.

    Args:
        dataset: name of a data set with a layout of its own, such as 'regdb'; see `DATASETS`.
        source: root of the download; may be None if everything is prepared.
        data_dir: where prepared data sets are kept.
        trial: of a data set with trials, 'all' or the number of one; else 'all' or None.
        unofficial: accept counts other than the published ones, and record that.
        progress: show a progress bar.

    Raises:
        UserError: all problems of the tree at once, or what else prevents it.
    """
    chosen, data_dir = find_dataset(dataset), local_path(data_dir, "--data_dir")
    source = local_path(source, "--source") if source else None
    trials = parse_trials(chosen, trial)
    folders = {number: prepared.directory(dataset, data_dir, number) for number in trials}
    todo = tuple(number for number in trials if not folders[number].exists())
    metadata = {
        number: _existing(chosen, data_dir, number, source, unofficial)
        for number in trials
        if number not in todo
    }
    if todo:
        root = _check_source(chosen, source)
        listings = inspect_tree(chosen, root, todo)
        measures = _verify(chosen, root, listings, unofficial, progress)
        about = {"wide": measures.as_metadata(), "notes": measures.notes()}
        build(
            chosen,
            root,
            data_dir,
            listings,
            unofficial=unofficial,
            show=progress,
            metadata=about,
        )
        metadata |= {n: prepared.read_metadata(dataset, data_dir, n) for n in todo}
    return [Prepared(folders[n], n, metadata[n], n in todo) for n in trials]


def parse_trials(dataset: Dataset, trial: str | int | None) -> tuple[int | None, ...]:
    """Return the trials meant by `trial`: (None,) for data sets that have none.

    Args:
        dataset: the data set.
        trial: 'all' or None, a number, or several such as '1,2,5' and '1-3'.

    Raises:
        UserError: the data set has no such trial.
    """
    if trial is None or str(trial) == "all":
        return dataset.trial_numbers
    if dataset.trials is None:
        text = f"--trial={trial}: {dataset.name} has no trials; leave --trial out"
        raise UserError(text, about="--trial")
    numbers = [number for part in str(trial).split(",") for number in _numbers(part.strip())]
    if not numbers or not set(numbers) <= set(dataset.trial_numbers):
        allowed = f"the trials 1 to {dataset.trials}; give numbers such as 1,2,3, or 'all'"
        raise UserError(f"--trial={trial}: {dataset.title} has {allowed}", about="--trial")
    return tuple(dict.fromkeys(numbers))


def _numbers(part: str) -> list[int]:
    """Return the numbers that '3' or '1-3' stand for, [-1] for anything else."""
    ends = re.fullmatch(r"([0-9]{1,3})(?:-([0-9]{1,3}))?", part)
    if not ends:
        return [-1]
    return list(range(int(ends[1]), int(ends[2] or ends[1]) + 1))


def _existing(
    dataset: Dataset,
    data_dir: Path,
    trial: int | None,
    source: str | Path | None,
    unofficial: bool,
) -> dict[str, Any]:
    """Return the metadata of what is prepared already, unless something else was asked for."""
    where = prepared.directory(dataset.name, data_dir, trial)
    metadata = prepared.read_metadata(dataset.name, data_dir, trial)
    made_from = metadata["source"]
    if source is not None and os.path.realpath(source) != os.path.realpath(made_from):
        raise UserError(
            f"{where} is already there, made from {made_from}, not from {source}. Delete it to "
            f"build it again, choose another --data_dir, or give --source={made_from}",
            about="--source",
        )
    if dataset.published is not None and not metadata["official"] and not unofficial:
        raise UserError(
            f"{where} is already there and was built with --unofficial. Add --unofficial to use "
            "it, or delete it to build it with the published counts checked",
            about="--unofficial",
        )
    return metadata


def _check_source(dataset: Dataset, source: str | Path | None) -> Path:
    if source is None or str(source) == "":
        text = f"--source is missing: give the root of your {dataset.title} download"
        raise UserError(text, about="--source")
    root = Path(source)
    if not root.is_dir():
        fault = "is not a folder" if root.exists() else "does not exist"
        cure = f"give the root of the unpacked download of {dataset.title}"
        raise UserError(f"--source={source} {fault}; {cure}", about="--source")
    return root


def _verify(
    dataset: Dataset,
    root: Path,
    listings: dict[int | None, Listing],
    unofficial: bool,
    show: bool,
) -> Measures:
    """Decode every image that any listing names; raise with all problems of all listings."""
    merged = Listing()
    for trial, listing in listings.items():
        merged.problems += listing.problems
        merged.mismatches += listing.mismatches
        merged.notes += listing.notes
        merged.splits.update({f"{trial} {name}": rows for name, rows in listing.splits.items()})
    for note in merged.notes if show else ():
        print(f"note: {note}", file=sys.stderr)
    measures = Measures()
    bad_images = verify_images(root, merged.paths(), show, measures)
    refuse(dataset, merged, bad_images, unofficial)
    for note in measures.notes() if show else ():
        print(f"note: {note}", file=sys.stderr)
    return measures
