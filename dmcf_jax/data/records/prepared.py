"""Where a prepared data set is and what its metadata holds, read without TensorFlow Datasets.

Importing that library is slow; a run whose image cache is complete never needs it.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dmcf_jax.data.datasets import find_dataset
from dmcf_jax.data.datasets.listing import FIELDS
from dmcf_jax.data.wide_values import FULL, WideRange
from dmcf_jax.errors import UserError
from dmcf_jax.runtime.paths import local_path

VERSION = "1.0.0"
SYNTHETIC_SOURCE = "synthetic_source"  # folder in which people are rendered


def directory(name: str, data_dir: str | Path, trial: int | None = None) -> Path:
    """Return the folder of a prepared data set: data_dir/name[/trial_N]/version.

    Raises:
        UserError: no such data set, or a trial that it does not have.
    """
    dataset = find_dataset(name)
    if trial not in dataset.trial_numbers:
        if dataset.trials is None:
            text = f"{name} has no trials, but trial {trial!r} was asked for; leave it out"
        else:
            allowed = f"1 to {dataset.trials}"
            text = f"trial {trial!r} of {name} does not exist; choose one of {allowed}"
        raise UserError(text, about="trial")
    return local_path(data_dir, "data_dir").joinpath(name, *config_name(trial), VERSION)


def config_name(trial: int | None) -> tuple[str, ...]:
    """Return what TensorFlow Datasets calls the config of a trial; nothing without trials."""
    return () if trial is None else (f"trial_{trial}",)


def read_metadata(name: str, data_dir: str | Path, trial: int | None = None) -> dict[str, Any]:
    """Return the metadata of a prepared data set.

    Keys: `official` (false when built with --unofficial), `source`, `source_sha256`,
    `records_sha256` and `counts` by split, `package_version`.

    Raises:
        UserError: it is missing or incomplete; the message holds the command that prepares it.
    """
    where = directory(name, data_dir, trial)
    if not where.is_dir():
        title = find_dataset(name).title + (f" trial {trial}" if trial else "")
        raise UserError(
            f"{title} is not prepared: {where} does not exist. Prepare it with\n  "
            + command(name, data_dir, trial)
            + "\nor name the place where it is: --data_dir=DIR (to evaluate, to draw), "
            "--config.data.data_dir=DIR (to train)",
            about=str(where),
        )
    metadata = metadata_in(where)
    if metadata is None:
        raise UserError(
            f"{where} is incomplete: files are missing or unreadable. Delete it and run\n  "
            + command(name, data_dir, trial),
            about=str(where),
        )
    return metadata


def is_synthetic(metadata: Mapping[str, Any]) -> bool:
    """Return whether prepared data show rendered people."""
    return Path(metadata["source"]).parent.name == SYNTHETIC_SOURCE


def wide_range(choice: str, metadata: Mapping[str, Any], about: str = "data") -> WideRange:
    """Return which values of pictures of more than eight bits become 0 and 255.

    Args:
        choice: of `wide_values.CHOICES`, as `config.data.wide_range` gives it.
        metadata: of the data set, which records the values of its pictures.
        about: the data set, for the message.

    Raises:
        UserError: the range of a data set that was prepared before this was recorded.
    """
    if choice != "data_set":
        return None if choice == "file" else FULL
    if "wide" not in metadata:
        text = f"data.wide_range=data_set: {about} does not record the range; prepare it again"
        raise UserError(text, about="data.wide_range")
    known = metadata["wide"]
    return (known["lowest"], known["highest"]) if known["pictures"] else FULL


def metadata_in(where: Path) -> dict[str, Any] | None:
    """Return the metadata in a prepared folder, or None if the folder is incomplete."""
    try:
        metadata = json.loads((where / "metadata.json").read_text(encoding="utf-8"))
        info = json.loads((where / "dataset_info.json").read_text(encoding="utf-8"))
        shards = {split["name"]: len(split["shardLengths"]) for split in info["splits"]}
        names = [file.name for file in where.iterdir() if ".array_record-" in file.name]
        complete = set(shards) == set(metadata["records_sha256"]) == set(metadata["counts"])
        complete = complete and all(
            sum(f"-{split}.array_record-" in file for file in names) == number
            for split, number in shards.items()
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return metadata if complete and (where / "features.json").is_file() else None


def command(
    name: str,
    data_dir: str | Path,
    trial: int | str | None = None,
    source: str = "DIR",
    *,
    unofficial: bool = False,
) -> str:
    """Return the shell command that prepares a data set.

    Args:
        trial: its number, or several as '1,2,3'; None for all.
        unofficial: of a subset, or other data in its layout.
    """
    words = f"dmcf prepare_data --dataset={name} --source={source} --data_dir={data_dir}"
    return words + (f" --trial={trial}" if trial else "") + " --unofficial" * unofficial


def record_digest(record: Mapping[str, Any]) -> bytes:
    """Return the SHA-256 of one record; a split's is that of its records' digests in order."""
    path, identity, camera, modality = (record[field] for field in FIELDS)
    digest = hashlib.sha256(f"{path}\n{identity} {camera} {modality}\n".encode())
    digest.update(record["image"])
    return digest.digest()
