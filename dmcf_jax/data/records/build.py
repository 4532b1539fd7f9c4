"""Building records: all or nothing, by one process at a time."""

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dmcf_jax.data.datasets.dataset import Dataset
from dmcf_jax.data.datasets.listing import Listing
from dmcf_jax.data.records import prepared
from dmcf_jax.errors import UserError
from dmcf_jax.runtime.console import progress_bar
from dmcf_jax.runtime.locks import lock


def build(
    dataset: Dataset,
    root: Path,
    data_dir: Path,
    listings: Mapping[int | None, Listing],
    *,
    unofficial: bool,
    show: bool,
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Build the records of `listings`, by trial. A build that fails leaves nothing behind.

    Args:
        root: folder that the paths in `listings` are relative to.
        data_dir: where prepared data sets are kept.
        unofficial: accept counts other than the published ones, and record that.
        show: show a progress bar.
        metadata: recorded beside what every data set records.

    Raises:
        UserError: another process is building there, the disk is full, or an image changed.
    """
    from dmcf_jax.data.records.builder import ImageReader  # imports TensorFlow Datasets

    reader = ImageReader(root, keep=len(listings) > 1)
    total = sum(len(rows) for listing in listings.values() for rows in listing.splits.values())
    options = dict(source=root, unofficial=unofficial, reader=reader, metadata=metadata)
    with _lock(data_dir), progress_bar("building records", total, show) as advance:
        for trial, listing in listings.items():
            folder = prepared.directory(dataset.name, data_dir, trial)
            _remove_unfinished(folder, data_dir)
            try:
                options |= {"listing": listing, "advance": advance}
                _build_trial(dataset, data_dir, trial, options)
            except RuntimeError as error:  # what array_record raises when the disk is full
                raise OSError(str(error).split(";")[0]) from error
            finally:
                _remove_unfinished(folder, data_dir)


def _build_trial(
    dataset: Dataset, data_dir: Path, trial: int | None, options: dict[str, Any]
) -> None:
    from dmcf_jax.data.records.builder import builder_class
    from dmcf_jax.data.records.reader import quiet

    configs = prepared.config_name(trial)
    with quiet(), _no_progress_bars():
        builder = builder_class(dataset)(
            data_dir=data_dir, config=configs[0] if configs else None, **options
        )
        builder.download_and_prepare(download_dir=data_dir / dataset.name / ".downloads")


@contextlib.contextmanager
def _no_progress_bars() -> Iterator[None]:
    """Turn off the bars of TensorFlow Datasets, which are not ours; then as they were."""
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core.utils import tqdm_utils

    before = getattr(tqdm_utils, "_active", True)  # no function tells
    tfds.display_progress_bar(False)
    try:
        yield
    finally:
        tfds.display_progress_bar(before)


@contextlib.contextmanager
def _lock(data_dir: Path) -> Iterator[None]:
    """Reserve `data_dir` for this process; the system drops the lock when the process ends."""
    created = [folder for folder in (data_dir, *data_dir.parents) if not folder.exists()]
    handle = None
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        handle = os.open(data_dir, os.O_RDONLY)
        lock(handle)
        yield
    except BlockingIOError:
        text = f"{data_dir} is in use by another prepare_data; wait until it has finished"
        raise UserError(text, about="--data_dir") from None
    except OSError as error:
        raise UserError(
            f"{data_dir} cannot be written ({error.strerror or error}). Nothing was left there: "
            "free some space or choose another --data_dir",
            about="--data_dir",
        ) from None
    finally:
        if handle is not None:
            os.close(handle)
        _remove_empty(created)


def _remove_unfinished(folder: Path, data_dir: Path) -> None:
    """Remove what an interrupted build left beside `folder`, and folders left empty."""
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
