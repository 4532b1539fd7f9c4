"""Verify a download, build its records, check them again: all of `dmcf prepare_data`."""

import contextlib
import dataclasses
import fcntl
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from dmcf_jax.data.datasets import llcm as llcm_tree
from dmcf_jax.data.datasets import regdb as regdb_tree
from dmcf_jax.data.datasets import sysu_mm01 as sysu_mm01_tree
from dmcf_jax.data.datasets.listing import TITLES, Listing
from dmcf_jax.data.records import prepared
from dmcf_jax.data.records.quiet import quiet
from dmcf_jax.data.records.verify_images import verify_images
from dmcf_jax.errors import UserError
from dmcf_jax.runtime.console import progress_bar


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A prepared data set: its folder, its metadata, and whether this call built it."""

    path: Path
    trial: int | None
    facts: dict[str, Any]
    built: bool

    def summary(self) -> str:
        """Return one line: where it is, what it holds, whether it is the published data set."""
        counts = self.facts["counts"]
        splits = "; ".join(
            f"{split} {of['identities']} ids, {of['visible']} visible + {of['infrared']} infrared"
            for split, of in counts.items()
        )
        kind = "official counts" if self.facts["official"] else "unofficial"
        if self.facts["dataset"] == "own":
            kind = "your own data"
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

    What is prepared already and whole is left alone, at no cost. Nothing is written before
    everything has been verified, and a build that fails leaves nothing behind.

    Args:
      dataset: 'sysu_mm01', 'regdb' or 'llcm'.
      source: root of the download; may be None where everything is prepared.
      data_dir: where prepared data sets live.
      trial: for RegDB 'all' or 1 to 10; else 'all' or None.
      unofficial: accept counts other than the published ones, and record that.
      progress: show a bar.

    Raises:
      UserError: all problems of the tree at once, or what else stands in the way.
    """
    trials = parse_trials(dataset, trial)
    folders = {number: prepared.directory(dataset, data_dir, number) for number in trials}
    there = {n: _existing(dataset, data_dir, n, source, unofficial) for n in trials}
    todo = tuple(number for number in trials if there[number] is None)
    if todo:
        root = _check_source(dataset, source)
        listings = _inspect(dataset, root, todo)
        _verify(dataset, root, listings, unofficial, progress)
        with locked(Path(data_dir)):
            build(dataset, root, data_dir, folders, listings, unofficial, progress)
    return [
        Prepared(folders[n], n, there[n] or prepared.read_facts(dataset, data_dir, n), n in todo)
        for n in trials
    ]


def parse_trials(dataset: str, trial: str | int | None) -> tuple[int | None, ...]:
    """Return the trials meant by `trial`: (None,) for data sets that have none."""
    if dataset not in prepared.NAMES:
        prepared.directory(dataset, "")
    everything = trial is None or str(trial) == "all"
    if dataset != "regdb":
        if not everything:
            raise UserError(f"--trial={trial}: {dataset} has no trials; leave --trial out")
        return (None,)
    if everything:
        return prepared.TRIALS
    if not str(trial).isdecimal() or int(trial) not in prepared.TRIALS:
        raise UserError(f"--trial={trial}: RegDB has the trials 1 to 10; give a number or 'all'")
    return (int(trial),)


def _existing(
    dataset: str,
    data_dir: str | Path,
    trial: int | None,
    source: str | Path | None,
    unofficial: bool,
) -> dict[str, Any] | None:
    """Return the metadata of what is prepared already; refuse to pass it for something else."""
    where = prepared.directory(dataset, data_dir, trial)
    if not where.exists():
        return None
    facts = prepared.read_facts(dataset, data_dir, trial)
    if source is not None and os.path.realpath(source) != os.path.realpath(facts["source"]):
        raise UserError(
            f"{where} is already there, made from {facts['source']}, not from {source}. Delete it "
            f"to build it anew, choose another --data_dir, or give --source={facts['source']}"
        )
    if not facts["official"] and not unofficial:
        raise UserError(
            f"{where} is already there and was built with --unofficial. Add --unofficial to use "
            "it, or delete it to build it with the published counts checked"
        )
    return facts


def _check_source(dataset: str, source: str | Path | None) -> Path:
    if source is None or str(source) == "":
        raise UserError(f"--source is missing: give the root of your {TITLES[dataset]} download")
    root = Path(source)
    if not root.is_dir():
        kind = "is not a folder" if root.exists() else "does not exist"
        cure = "give the root of the unpacked download"
        raise UserError(f"--source={source} {kind}; {cure} of {TITLES[dataset]}")
    return root


def _inspect(dataset: str, root: Path, trials: tuple[int | None, ...]) -> dict[int | None, Listing]:
    if dataset == "regdb":
        return regdb_tree.inspect(root, trials)
    return {None: {"sysu_mm01": sysu_mm01_tree, "llcm": llcm_tree}[dataset].inspect(root)}


def _verify(
    dataset: str,
    root: Path,
    listings: dict[int | None, Listing],
    unofficial: bool,
    show: bool,
) -> None:
    """Decode every image that any listing names; raise with all problems of all listings."""
    from dmcf_jax.data.records.builder import refuse

    merged = Listing()
    for trial, listing in listings.items():
        merged.problems += listing.problems
        merged.mismatches += listing.mismatches
        merged.notes += listing.notes
        merged.splits.update({f"{trial} {name}": rows for name, rows in listing.splits.items()})
    for note in merged.notes if show else ():
        print(f"note: {note}", file=sys.stderr)
    bad = verify_images(root, merged.paths(), show)
    refuse(dataset, merged, bad, unofficial)


@contextlib.contextmanager
def locked(data_dir: Path) -> Iterator[None]:
    """Hold `data_dir` for this process; the lock goes with the process, whatever becomes of it."""
    created = [folder for folder in (data_dir, *data_dir.parents) if not folder.exists()]
    handle = None
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        handle = os.open(data_dir, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise UserError(f"{data_dir} is in use by another prepare_data; wait for it") from None
    except OSError as error:
        raise UserError(
            f"{data_dir} cannot be written ({error.strerror or error}). Nothing was left there: "
            "make room or choose another --data_dir"
        ) from None
    finally:
        if handle is not None:
            os.close(handle)
        _remove_empty(created)


def build(
    dataset: str,
    root: Path,
    data_dir: str | Path,
    folders: dict[int | None, Path],
    listings: dict[int | None, Listing],
    unofficial: bool,
    show: bool,
    make: Callable[..., Any] | None = None,
) -> None:
    """Build the `listings`, by trial, into `folders`; `make` gives the builder of other data."""
    from dmcf_jax.data.records.builder import ImageReader

    reader = ImageReader(root, keep=len(listings) > 1)
    total = sum(len(rows) for listing in listings.values() for rows in listing.splits.values())
    with progress_bar("building records", total, show) as advance:
        for trial in listings:
            _remove_unfinished(folders[trial], Path(data_dir))
            options = dict(source=root, unofficial=unofficial, reader=reader, advance=advance)
            try:
                _build_one(make or _builder_class(dataset), dataset, data_dir, trial, options)
            except RuntimeError as error:  # how array_record tells of a full disk
                raise OSError(str(error).split(";")[0]) from error
            finally:
                _remove_unfinished(folders[trial], Path(data_dir))


def _builder_class(dataset: str) -> Callable[..., Any]:
    from dmcf_jax.data.records import llcm, regdb, sysu_mm01

    return {"sysu_mm01": sysu_mm01.SysuMm01, "regdb": regdb.RegDB, "llcm": llcm.Llcm}[dataset]


def _build_one(
    make: Callable[..., Any],
    dataset: str,
    data_dir: str | Path,
    trial: int | None,
    options: dict[str, Any],
) -> None:
    import tensorflow_datasets as tfds

    tfds.disable_progress_bar()
    config = {"config": f"trial_{trial}"} if trial else {}
    with quiet():
        builder = make(data_dir=data_dir, **config, **options)
        builder.download_and_prepare(download_dir=Path(data_dir, dataset, ".downloads"))


def _remove_unfinished(folder: Path, data_dir: Path) -> None:
    """Remove what a build that was cut short left beside `folder`, and folders left empty."""
    shutil.rmtree(data_dir / folder.relative_to(data_dir).parts[0] / ".downloads", True)
    for leftover in folder.parent.glob("*incomplete*"):
        shutil.rmtree(leftover, ignore_errors=True)
    if not folder.exists():
        between = [p for p in folder.parents if p != data_dir and p.is_relative_to(data_dir)]
        for parent in between:
            _remove_if_only(parent, ".config")


def _remove_if_only(folder: Path, name: str) -> None:
    if folder.is_dir() and {entry.name for entry in folder.iterdir()} <= {name}:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:  # innermost first
        with contextlib.suppress(OSError):
            folder.rmdir()
