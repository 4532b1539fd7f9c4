"""Hub export: a run as a folder that others can load, complete or not at all."""

import json
import os
import re
from pathlib import Path

import jax
import numpy as np
import safetensors.numpy

from dmcf_jax.errors import UserError
from dmcf_jax.export.hub.card import Card, default_licence, licence_text
from dmcf_jax.export.hub.check_config import config_content
from dmcf_jax.export.hub.layout import CARD, CONFIG, FILES, LICENCE, METRICS, WEIGHTS
from dmcf_jax.export.hub.metrics import metrics_content
from dmcf_jax.export.hub.read import read_shared
from dmcf_jax.models.tree_paths import leaves_by_path
from dmcf_jax.runs.load import TrainedModel
from dmcf_jax.runtime.files import sibling_folder, write_atomically

_LICENCES = re.compile(r"[a-z0-9][a-z0-9.+-]{1,63}")


def export_hub(
    trained: TrainedModel,
    workdir: Path,
    path: Path,
    licence: str | None = None,
    repository: str | None = None,
) -> None:
    """Write the folder `path` and read it back; an older one of this kind is replaced.

    Args:
        workdir: of the run, for its data and its evaluations.
        licence: of the weights, an identifier of the hub; by default see
            `default_licence`.
        repository: 'owner/name' for the card.

    Raises:
        UserError: `path` holds anything else, cannot be written, or what was read back differs.
    """
    _refuse_others(path, licence)
    try:
        with sibling_folder(path) as made:
            _write(trained, workdir, made / "new", licence, repository)
            _verify(made / "new", trained)
            _replace(path, made)
    except OSError as error:
        text = (
            f"{path} cannot be written: {error.strerror or error}. Name another place with --out."
        )
        raise UserError(text, about=str(path)) from None


def _replace(path: Path, made: Path) -> None:
    """Rename `made`/new to `path`; what was there goes to `made`, and back if that fails."""
    if not path.exists():
        os.rename(made / "new", path)
        return
    os.rename(path, made / "old")
    try:
        os.rename(made / "new", path)
    except OSError:
        os.rename(made / "old", path)
        raise


def _refuse_others(path: Path, licence: str | None) -> None:
    if licence is not None and not _LICENCES.fullmatch(licence):
        text = f"--license={licence}: expected an identifier of the hub such as cc-by-nc-4.0"
        raise UserError(text, about="--license")
    entries = sorted(each.name for each in path.iterdir()) if path.is_dir() else []
    others = [name for name in entries if name not in FILES]
    if others or (path.exists() and not path.is_dir()):
        raise UserError(
            f"{path} is no folder of --format=hub: it holds {', '.join(others[:5]) or 'a file'}. "
            "Name another place with --out.",
            about=str(path),
        )


def _write(
    trained: TrainedModel, workdir: Path, folder: Path, licence: str | None, repository: str | None
) -> None:
    """Write all files, the weights first and metrics.json, which has their hashes, later."""
    weights = leaves_by_path(jax.device_get(trained.variables))
    contiguous = {name: np.ascontiguousarray(value) for name, value in weights.items()}
    metadata = {"format": "np"}
    write_atomically(folder / WEIGHTS, safetensors.numpy.save(contiguous, metadata))
    content = config_content(
        trained.config, trained.model.identities, trained.wide_range, trained.step
    )
    write_atomically(folder / CONFIG, json.dumps(content, indent=2) + "\n")
    metrics = metrics_content(workdir, trained, folder)
    write_atomically(folder / METRICS, json.dumps(metrics, indent=1) + "\n")
    licence = licence or default_licence(metrics)
    card = Card(trained, metrics, licence, repository)
    write_atomically(folder / CARD, card.text())
    write_atomically(folder / LICENCE, licence_text(licence))


def _verify(folder: Path, trained: TrainedModel) -> None:
    """Compare every number of a written folder with the run's."""
    read = leaves_by_path(read_shared(folder).trained.variables)
    expected = leaves_by_path(jax.device_get(trained.variables))
    same = read.keys() == expected.keys() and all(
        np.array_equal(np.asarray(read[name]), value) for name, value in expected.items()
    )
    if not same:
        text = "verification failed: what was written differs from the run. Check the disk."
        raise UserError(f"{text} Nothing was left at {folder.parent}.", about=str(folder))
