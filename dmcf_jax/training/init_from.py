"""The weights of another run, of its export or of a shared model, as the start of a new run."""

import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

import jax

from dmcf_jax.errors import UserError
from dmcf_jax.export.hub.metrics import people_digest
from dmcf_jax.export.hub.read import is_shared_source, open_shared
from dmcf_jax.export.stablehlo import read_exported_weights
from dmcf_jax.export.torch import read_export
from dmcf_jax.models.tree_paths import leaves_by_path, tree_of
from dmcf_jax.runs.data_record import read_record
from dmcf_jax.runs.load import load_trained
from dmcf_jax.runtime.paths import local_path
from dmcf_jax.weights.misfits import misfits

_CLASSIFIER = re.compile(r"params/heads_[GR]\d+/classifier/(kernel|bias)")


def start_from(
    shapes: dict, path: str | Path, classes: Sequence[str] | None = None
) -> tuple[dict, list[str]]:
    """Return the variables of `path` that a new network takes over, and notes on the rest.

    Args:
        shapes: variables of the new network, or their shapes.
        path: a workdir of `dmcf train` (its latest checkpoint is taken), what `dmcf export`
            wrote (the folder of --format=torch or --format=hub, the file of --format=stablehlo),
            or hf://owner/name.
        classes: names of the new network's people; None where they are not known.

    Returns:
        The part of a tree like `shapes` to be taken over, and a line for each classifier that is
        left out because it is of other people.

    Raises:
        UserError: if `path` is neither, or naming every variable that does not fit.
    """
    variables, people = _open(path)
    named = leaves_by_path(variables)
    others = None not in (classes, people) and people_digest(classes or ()) != people
    expected = {name: leaf.shape for name, leaf in leaves_by_path(shapes).items()}
    dropped = {
        name: value
        for name, value in named.items()
        if _CLASSIFIER.fullmatch(name)
        and (others or expected.get(name, value.shape) != value.shape)
    }
    taken = {name: value for name, value in named.items() if name not in dropped}
    needed = {name: shape for name, shape in expected.items() if name not in dropped}
    if problems := misfits({name: value.shape for name, value in taken.items()}, needed):
        raise UserError.listing(
            f"init_from: {path} is another network:",
            problems,
            "Give this run the model fields of that one, or leave init_from empty.",
            at_most=12,
        )
    notes = [
        f"{name.split('/')[1]}: its classifier starts fresh, for {expected[name][-1]} identities "
        f"instead of {value.shape[-1]}{' other ones' if others else ''}"
        for name, value in dropped.items()
        if name.endswith("/bias")
    ]
    return tree_of(taken), notes


def overlay(variables: dict, given: dict) -> dict:
    """Return `variables` with the leaves that `given`, a part of the same tree, has."""
    return variables | {
        name: overlay(variables[name], value) if isinstance(value, dict) else value
        for name, value in given.items()
    }


def _open(source: str | Path) -> tuple[dict, str | None]:
    """Return the variables of a model, and the digest of its people's names where it is known."""
    if is_shared_source(source):
        shared = open_shared(source)
        people = (shared.metrics["trained_on"] or {}).get("people_sha256")
        return jax.device_get(shared.trained.variables), people
    path = local_path(source, "init_from")
    known = read_record(path) if path.is_dir() else None
    return _read(path), people_digest(known["classes"]) if known else None


def _read(path: Path) -> dict:
    if (path / "config.json").exists():
        trained = load_trained(path)
        return jax.device_get(trained.variables)
    if (path / "visible.safetensors").exists():
        return read_export(path)
    if _is_stablehlo(path):
        return tree_of(read_exported_weights(path))
    raise UserError(
        f"init_from: {path} is neither a workdir of dmcf train nor a folder or file written "
        "by dmcf export. ImageNet weights go to --config.model.pretrained."
    )


def _is_stablehlo(path):
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return "weights.safetensors" in archive.namelist()
