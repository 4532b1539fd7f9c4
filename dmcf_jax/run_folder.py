"""A run's folder: its lock, its config and the environment it ran in.

config.json       every field, resolved
environment.json  versions, git commit, devices, command; one entry a start
metrics.jsonl     one object a logged step
tensorboard/      the same for TensorBoard
checkpoints/      orbax
evaluation/       results by protocol
"""

import contextlib
import fcntl
import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jax
from ml_collections import ConfigDict

import dmcf_jax
from dmcf_jax.config import differences, flatten
from dmcf_jax.errors import UserError

PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "tensorflow-datasets", "numpy")


@contextlib.contextmanager
def locked(workdir: Path) -> Iterator[None]:
    """Hold the folder for this process; the kernel frees it when the process ends, however.

    Raises:
        UserError: if the folder cannot be made or another process holds it.
    """
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        handle = open(workdir / ".lock", "a+")
    except OSError as error:
        raise UserError(
            f"the workdir {workdir} cannot be written: {error.strerror}. Choose another --workdir."
        ) from None
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"another process is training in {workdir}. Wait for it or name another --workdir."
            ) from None
        yield


def write_atomically(path: Path, text: str) -> None:
    """Write `text` beside `path` and rename it, so that no half file is ever seen."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".incomplete")
    with open(temporary, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def refuse_other_config(workdir: Path, config: ConfigDict) -> None:
    """Hold `config` against the one that a run in `workdir` was started with, if there is one.

    Raises:
        UserError: showing each difference that would change results.
    """
    if not (workdir / "config.json").exists():
        return
    changed = differences(read_config(workdir), flatten(config))
    if changed:
        raise UserError.listing(
            f"{workdir} was started with another config:",
            changed,
            "Use the old values to continue it, or another --workdir for a new run.",
        )


def claim(workdir: Path, config: ConfigDict) -> None:
    """Write config and environment into the folder of a run that starts or continues."""
    write_atomically(workdir / "config.json", json.dumps(flatten(config), indent=2) + "\n")
    path = workdir / "environment.json"
    starts = json.loads(path.read_text()) if path.exists() else []
    write_atomically(path, json.dumps([*starts, environment()], indent=2) + "\n")


def read_config(workdir: Path) -> dict:
    """Return the flattened config of the run in `workdir`.

    Raises:
        UserError: if there is no run.
    """
    path = Path(workdir) / "config.json"
    if not path.exists():
        raise UserError(
            f"{workdir} holds no run (no config.json). Name the --workdir of scripts/train.py."
        )
    return json.loads(path.read_text())


def restore_config(workdir: Path) -> ConfigDict:
    """Return the config of the run in `workdir`, nested and with tuples as it was written."""
    config = ConfigDict()
    for field, value in read_config(workdir).items():
        *groups, name = field.split(".")
        place = config
        for group in groups:
            if group not in place:
                place[group] = ConfigDict()
            place = place[group]
        place[name] = tuple(value) if isinstance(value, list) else value
    return config


def environment() -> dict:
    """Return what a reader needs to repeat a run: versions, commit, devices and command."""
    devices = jax.devices()
    return {
        "command": sys.argv,
        "dmcf_jax": dmcf_jax.__version__,
        "git_commit": git_commit(),
        "python": sys.version.split()[0],
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "devices": [devices[0].device_kind, len(devices)],
        "processes": jax.process_count(),
    }


def git_commit() -> str | None:
    """Return the commit of the source tree, with '+changes' if it differs; None outside git."""
    root = Path(__file__).parent
    command = ["git", "-C", str(root), "describe", "--always", "--dirty=+changes", "--abbrev=40"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
