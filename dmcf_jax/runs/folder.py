"""A run's folder: its lock, its config and the environment it ran in.

config.json       every field, resolved
data.json         hashes of the data, names of the people, see data_record.py
environment.json  versions, git commit, devices, command; one entry a start
metrics.jsonl     one object a logged step
tensorboard/      the same for TensorBoard
checkpoints/      orbax
evaluation/       results by protocol
"""

import contextlib
import importlib.metadata
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

import jax
from ml_collections import ConfigDict

from dmcf_jax import __version__
from dmcf_jax.config.fields import FIELDS
from dmcf_jax.config.starts import starts_at_random
from dmcf_jax.config.validate import differences, flatten
from dmcf_jax.configs import default
from dmcf_jax.errors import Problem, UserError
from dmcf_jax.runtime import hosts
from dmcf_jax.runtime.console import log
from dmcf_jax.runtime.files import write_atomically
from dmcf_jax.runtime.locks import lock

PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "tensorflow-datasets", "numpy")


class RunLock:
    """The lock of a run's folder, held by this process."""

    def __init__(self, workdir: Path, handle: TextIO):
        """Keep the open lock file, by which the folder is recognised later."""
        self._workdir, self._handle = workdir, handle

    def owner(self) -> str:
        """Return who holds the folder; of several processes all must call, and read the same."""
        hosts.wait_for_all()
        return Path(self._handle.name).read_text()

    def check(self) -> None:
        """Refuse to go on when the folder was removed, replaced or unmounted meanwhile.

        Raises:
            UserError: naming the folder. Without this, checkpoints would go to a new folder of
                the same name, or onto the disk below a mount point.
        """
        try:
            same = os.path.samestat(os.stat(self._handle.name), os.fstat(self._handle.fileno()))
        except OSError:
            same = False
        if not same:
            raise UserError(
                f"the workdir {self._workdir} vanished during training: its lock file is gone or "
                "was replaced. Restore the folder and run the same command, which resumes from "
                "its latest checkpoint, or start again.",
                about=str(self._workdir),
            )


@contextlib.contextmanager
def lock_run(workdir: Path) -> Iterator[RunLock]:
    """Lock the folder for this process; the kernel unlocks it when the process ends, however.

    Raises:
        UserError: if the folder cannot be made or another process holds it.
    """
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        handle = open(workdir.absolute() / ".lock", "a+")
    except OSError as error:
        raise UserError(
            f"the workdir {workdir} cannot be written: {error.strerror}. Choose another --workdir.",
            about="--workdir",
        ) from None
    with handle:
        try:
            if hosts.is_first():  # one process holds the folder for all
                lock(handle)
                _write_owner(handle)
        except BlockingIOError:
            raise UserError(
                f"another process is training in {workdir}. Wait for it or name another --workdir.",
                about="--workdir",
            ) from None
        except OSError as error:  # some network disks have no locks
            log(f"NOTE: {workdir} cannot be locked ({error.strerror}): start no second run there.")
        yield RunLock(workdir, handle)


def _write_owner(handle):
    handle.truncate(0)
    handle.write(f"process {os.getpid()} of {socket.gethostname()}, {time.time_ns()}\n")
    handle.flush()


def refuse_other_config(workdir: Path, config: ConfigDict) -> None:
    """Compare `config` with the one that a run in `workdir` was started with, if there is one.

    Raises:
        UserError: showing each difference that would change results.
    """
    if not (workdir / "config.json").exists() or _has_no_step(workdir):
        return
    old, new = read_config(workdir), flatten(config)
    changed = differences(old, new)
    if [problem.about for problem in changed] == ["train.steps"] and may_be_longer(old, new):
        log(f"training longer: {old['train.steps']} -> {new['train.steps']} steps")
        return
    if changed:
        raise UserError.listing(
            f"{workdir} was started with another config:",
            changed,
            "Use the old values to resume it, or another --workdir for a new run, which "
            f"--config.init_from={workdir} starts from the weights of this one.",
        )


def may_be_longer(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Return whether a run may have more steps: if all before the old end stay as they were.

    So it is where rates are constant after the warm-up and nothing begins at a share of the steps.
    """
    constant = new["optim.schedule"] == "steps" and not new["optim.decay_at"]
    weighted = not new["mtl.enabled"] or new["mtl.start_step"] is not None
    mined = not starts_at_random(new) or new["loss.triplet_start_step"] is not None
    return constant and weighted and mined and new["train.steps"] > old["train.steps"]


def _refuse_unknown(path: Path, unknown: list[str]) -> None:
    """Refuse a config with fields that this version does not know."""
    if not unknown:
        return
    starts = path.with_name("environment.json")
    written = read_json(starts)[-1].get("dmcf_jax", "?") if starts.exists() else "?"
    raise UserError.listing(
        f"{path} is of dmcf_jax {written}, this is {__version__}. These fields are not known here:",
        [Problem(field, field) for field in unknown],
        "Use the version that the run was trained with (environment.json names it).",
    )


def _has_no_step(workdir: Path) -> bool:
    """Return whether a run ended before its first step was logged or saved: nothing depends on it.

    Its config may be changed: often it asked for more memory than there is.
    """
    log, saved = workdir / "metrics.jsonl", workdir / "checkpoints"
    logged = log.exists() and log.stat().st_size > 0
    return not logged and not any(path.name.isdecimal() for path in saved.glob("*"))


def write_run_info(workdir: Path, config: ConfigDict) -> None:
    """Write config and environment into the folder of a run that starts or resumes."""
    write_atomically(workdir / "config.json", json.dumps(flatten(config), indent=2) + "\n")
    path = workdir / "environment.json"
    starts = read_json(path) if path.exists() else []
    write_atomically(path, json.dumps([*starts, environment()], indent=2) + "\n")


def read_config(workdir: Path) -> dict:
    """Return the flattened config of the run in `workdir`.

    Fields that were added since it was started have their defaults, which change nothing.

    Raises:
        UserError: if there is no run.
    """
    path = Path(workdir) / "config.json"
    if not path.exists():
        raise UserError(
            f"{workdir} holds no run (no config.json). Name the --workdir of `dmcf train`.",
            about=str(workdir),
        )
    stored = read_json(path)
    _refuse_unknown(path, [field for field in stored if field not in FIELDS])
    return stored | {k: v for k, v in flatten(default.get_config()).items() if k not in stored}


def read_json(path: Path) -> Any:
    """Return what a JSON file of a run holds.

    Raises:
        UserError: if it is missing or damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:  # no JSON and no UTF-8 are ValueErrors
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(
            f"{path} cannot be read ({reason}): the run's folder is damaged. Copy the file from "
            "a backup, or train in another --workdir.",
            about=str(path),
        ) from None


def restore_config(workdir: Path) -> ConfigDict:
    """Return the config of the run in `workdir`, nested and with tuples as it was written."""
    return nested_config(read_config(workdir))


def nested_config(fields: Mapping[str, Any]) -> ConfigDict:
    """Return a config from fields by dotted name; lists become tuples."""
    config = ConfigDict()
    for field, value in fields.items():
        *groups, name = field.split(".")
        branch = config
        for group in groups:
            if group not in branch:
                branch[group] = ConfigDict()
            branch = branch[group]
        branch[name] = tuple(value) if isinstance(value, list) else value
    return config


def environment() -> dict:
    """Return what a reader needs to repeat a run: versions, commit, devices and command."""
    devices = jax.devices()
    return {
        "command": sys.argv,
        "dmcf_jax": __version__,
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
