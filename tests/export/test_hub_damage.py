"""Damaged and hostile folders of shared models: each is refused, by the name of what is wrong.

Every damage is done to a folder that is read without a word before.
"""

import hashlib
import json
import os
import pickle
import shutil
import struct

import numpy as np
import pytest
import safetensors.numpy
from support.shared_model import shared_folder

from dmcf_jax.errors import UserError
from dmcf_jax.export.hub.layout import MOST_HEADER
from dmcf_jax.export.hub.read import read_shared
from dmcf_jax.retrieval.model import load_model


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Return a folder that no test changes."""
    return shared_folder(tmp_path_factory.mktemp("shared"))[1]


@pytest.fixture
def folder(written, tmp_path):
    """Return a copy of the folder, to be damaged."""
    return shutil.copytree(written, tmp_path / "copy")


def refused(function, *arguments):
    with pytest.raises(UserError) as error:
        function(*arguments)
    return error.value


def rewrite(folder, name, change):
    """Change a JSON file, and the hash of it, as somebody who means it would."""
    content = json.loads((folder / name).read_text())
    change(content)
    (folder / name).write_text(json.dumps(content))
    seal(folder)


def seal(folder):
    """Give metrics.json the hashes of the files that are there."""
    content = json.loads((folder / "metrics.json").read_text())
    for name in content["sha256"]:
        content["sha256"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / "metrics.json").write_text(json.dumps(content))


def set_field(**fields):
    return lambda content: content["config"].update(
        {k.replace("__", "."): v for k, v in fields.items()}
    )


def tensors_of(folder, change):
    tensors = safetensors.numpy.load_file(folder / "model.safetensors")
    change(tensors)
    safetensors.numpy.save_file(tensors, folder / "model.safetensors")
    seal(folder)


def test_a_flipped_bit_is_found_by_the_hash(folder):
    path = folder / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    error = refused(load_model, folder)
    assert error.about == ("model.safetensors",) and "SHA-256" in str(error)
    assert "dmcf export --format=hub" in str(error)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "metrics.json"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "link", "folder", "pipe"])
def test_every_damaged_file_is_named(folder, tmp_path, name, damage):
    path = folder / name
    data = path.read_bytes()
    path.unlink()
    if damage == "truncated":
        path.write_bytes(data[: len(data) // 2])
    elif damage == "link":
        (tmp_path / "elsewhere").write_bytes(data)
        path.symlink_to(tmp_path / "elsewhere")
    elif damage == "folder":
        path.mkdir()
    elif damage == "pipe":
        os.mkfifo(path)
    assert name in refused(read_shared, folder).about


class Attack:
    """Leaves a folder behind when unpickled."""

    def __init__(self, witness):
        self.witness = str(witness)

    def __reduce__(self):
        return os.mkdir, (self.witness,)


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_a_pickle_is_refused_and_not_run(folder, tmp_path, name):
    (folder / "model.safetensors").unlink()
    (folder / name).write_bytes(pickle.dumps(Attack(tmp_path / "witness")))
    if name == "model.safetensors":
        seal(folder)
    error = refused(load_model, folder)
    assert name in error.about and "pickle" in str(error)
    assert not (tmp_path / "witness").exists()


@pytest.mark.parametrize(
    "header",
    [
        struct.pack("<Q", 2**63),
        struct.pack("<Q", MOST_HEADER + 1) + b" " * (MOST_HEADER + 1),
        struct.pack("<Q", 400_000) + b"[" * 400_000,
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 9) + b'{"a": {}}',
        b"",
    ],
    ids=["endless", "long", "deep", "list", "empty", "nothing"],
)
def test_a_hostile_header_is_refused_before_it_is_used(folder, header):
    (folder / "model.safetensors").write_bytes(header)
    seal(folder)
    assert refused(read_shared, folder).about == ("model.safetensors",)


def test_names_shapes_types_and_values_of_tensors_are_those_of_the_network(folder):
    scale = "params/visible/bn1/scale"

    def spoil(tensors):
        tensors["../../etc/cron.d/x\x1b[2J"] = tensors.pop(scale)
        tensors["params/log_variance"] = tensors["params/log_variance"].astype(np.float64)
        tensors["params/infrared/bn1/scale"] = np.zeros(5, np.float32)

    tensors_of(folder, spoil)
    error = refused(read_shared, folder)
    expected = {scale, "params/infrared/bn1/scale", "params/log_variance"}
    (path,) = set(error.about) - expected
    assert expected < set(error.about) and "cron.d" in path and "\x1b" not in str(error)
    assert not list(folder.parent.rglob("cron.d"))


def test_weights_that_are_not_finite_are_refused(folder):
    tensors_of(folder, lambda tensors: tensors["params/log_variance"].fill(np.nan))
    assert refused(read_shared, folder).about == ("params/log_variance",)


@pytest.mark.parametrize(
    ("change", "about"),
    [
        (set_field(model__evil="x"), "config.json: model.evil"),
        (set_field(data__data_dir="/etc"), "config.json: data.data_dir"),
        (set_field(model__width=-1), "config.json: model.width"),
        (set_field(model__width="__import__('os')"), "config.json: model.width"),
        (set_field(method__name="../../evil"), "config.json: method.name"),
        (set_field(data__size=[4096, 4096]), "config.json: data.size"),
        (set_field(model__stage_sizes=[1000, 1000, 1000, 1000]), "model.safetensors"),
        (set_field(model__stripes=[9]), "config.json: model.stripes"),
        (lambda content: content.update(config=None), "config.json: config"),
        (lambda content: content.pop("identities"), "config.json: identities"),
        (lambda content: content.update(identities=10**400), "config.json: identities"),
        (lambda content: content.update(wide_range=["a"]), "config.json: wide_range"),
        (lambda content: content.update(wide_range=[9, 8]), "config.json: wide_range"),
        (lambda content: content.update(format=2), "config.json"),
    ],
)  # fmt: skip
def test_a_hostile_config_is_refused_field_by_field(folder, change, about):
    rewrite(folder, "config.json", change)
    assert refused(read_shared, folder).about == (about,)


@pytest.mark.parametrize(
    ("change", "about"),
    [
        (lambda content: content.update(sha256={}), "metrics.json: sha256"),
        (lambda content: content.update(sha256=["x"]), "metrics.json: sha256"),
        (lambda content: content.update(trained_on="x"), "metrics.json: trained_on"),
        (lambda content: content["trained_on"].update(dataset="x"), "metrics.json: trained_on"),
        (lambda content: content["trained_on"].update(dataset=[1]), "metrics.json: trained_on"),
        (lambda content: content.update(checkpoint=3), "metrics.json: checkpoint"),
        (lambda content: content.pop("results"), "metrics.json: results"),
        (lambda content: content.update(thresholds={"group": "x"}), "metrics.json: thresholds"),
        (lambda content: content.update(format=None), "metrics.json"),
    ],
)
def test_hostile_metrics_are_refused(folder, change, about):
    content = json.loads((folder / "metrics.json").read_text())
    change(content)
    (folder / "metrics.json").write_text(json.dumps(content))
    assert refused(read_shared, folder).about == (about,)


def test_everything_that_is_wrong_is_said_at_once(folder):
    (folder / "metrics.json").write_text("[" * 100_000)
    (folder / "model.safetensors").write_bytes(b"PK\x03\x04" + b"\xff" * 20)
    change = json.loads((folder / "config.json").read_text())
    change["config"] |= {"model.width": 0, "model.evil": 1}
    (folder / "config.json").write_text(json.dumps(change))
    assert set(refused(load_model, folder).about) == {
        "metrics.json", "model.safetensors", "config.json: model.width", "config.json: model.evil",
    }  # fmt: skip


def test_a_model_of_an_older_version_lacks_fields_that_have_defaults(folder):
    rewrite(folder, "config.json", lambda content: content["config"].pop("evaluation.flip"))
    assert read_shared(folder).trained.config.evaluation.flip is False
