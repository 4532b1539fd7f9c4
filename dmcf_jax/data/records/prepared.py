"""Where a prepared data set lies and what it says of itself, read without TensorFlow Datasets.

Importing that library takes most of a second; a run whose image cache is warm never needs it.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from dmcf_jax.data.datasets.listing import TITLES
from dmcf_jax.errors import UserError

NAMES = tuple(TITLES)
VERSION = "1.0.0"
TRIALS = tuple(range(1, 11))


def directory(name: str, data_dir: str | Path, trial: int | None = None) -> Path:
    """Return the folder of a prepared data set: data_dir/name[/trial_N]/version.

    Raises:
      UserError: no such data set, or a trial where there is none, or none where there is one.
    """
    if name not in NAMES:
        raise UserError(f"data set '{name}' is not known; choose one of {', '.join(NAMES)}")
    if name == "regdb" and trial not in TRIALS:
        raise UserError(f"trial {trial!r} of regdb does not exist; choose one of 1 to 10")
    if name != "regdb" and trial is not None:
        raise UserError(f"{name} has no trials, but trial {trial!r} was asked for; leave it out")
    config = (f"trial_{trial}",) if name == "regdb" else ()
    return Path(data_dir, name, *config, VERSION)


def read_facts(name: str, data_dir: str | Path, trial: int | None = None) -> dict[str, Any]:
    """Return the metadata of a prepared data set.

    Keys: `official` (false when built with --unofficial), `source`, `source_sha256`,
    `records_sha256` and `counts` by split, `package_version`.

    Raises:
      UserError: it is not there or not whole; the message holds the command that prepares it.
    """
    where = directory(name, data_dir, trial)
    if not where.is_dir():
        title = TITLES[name] + (f" trial {trial}" if trial else "")
        raise UserError(
            f"{title} is not prepared: {where} does not exist. Prepare it with\n  "
            + command(name, data_dir, trial)
        )
    facts = facts_in(where)
    if facts is None:
        raise UserError(
            f"{where} is not whole: files are missing or unreadable. Delete it and run\n  "
            + command(name, data_dir, trial)
        )
    return facts


def facts_in(where: Path) -> dict[str, Any] | None:
    """Return the metadata in a prepared folder, or None where it is not whole."""
    try:
        facts = json.loads((where / "metadata.json").read_text(encoding="utf-8"))
        info = json.loads((where / "dataset_info.json").read_text(encoding="utf-8"))
        shards = {split["name"]: len(split["shardLengths"]) for split in info["splits"]}
        names = [file.name for file in where.iterdir() if ".array_record-" in file.name]
        whole = set(shards) == set(facts["records_sha256"]) == set(facts["counts"]) and all(
            sum(f"-{split}.array_record-" in file for file in names) == number
            for split, number in shards.items()
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return facts if whole and (where / "features.json").is_file() else None


def command(name: str, data_dir: str | Path, trial: int | None = None, source: str = "DIR") -> str:
    """Return the shell command that prepares a data set."""
    words = f"dmcf prepare_data --dataset={name} --source={source}"
    return f"{words} --data_dir={data_dir}" + (f" --trial={trial}" if trial else "")


def record_digest(path: str, identity: int, camera: int, modality: int, image: bytes) -> bytes:
    """Return the SHA-256 of one record; a split's is that of its records' digests in order."""
    digest = hashlib.sha256(f"{path}\n{identity} {camera} {modality}\n".encode())
    digest.update(image)
    return digest.digest()
