"""Exports of another jax: both versions are named where the file cannot be read."""

import json
import zipfile

import jax
import pytest

from dmcf_jax.errors import UserError
from dmcf_jax.export import stablehlo


def write(path, version):
    with zipfile.ZipFile(path, "w") as archive:
        for modality in ("visible", "infrared"):
            archive.writestr(f"{modality}.stablehlo", b"of another format")
        archive.writestr("weights.safetensors", stablehlo.safetensors.numpy.save({}))
        if version:
            archive.writestr("versions.json", json.dumps({"jax": version}))
    return path


def test_a_file_of_a_newer_jax_is_refused_with_both_versions(tmp_path):
    path = write(tmp_path / "newer.zip", "99.1.2")
    with pytest.raises(UserError, match="it is of jax 99.1.2, this is") as error:
        stablehlo.load_exported(path)
    assert error.value.about == (str(path),) and jax.__version__ in str(error.value)


@pytest.mark.parametrize("version", ["0.4.30", jax.__version__, None])
def test_a_damaged_file_is_not_called_newer(tmp_path, version):
    path = write(tmp_path / "damaged.zip", version)
    with pytest.raises(UserError) as error:
        stablehlo.load_exported(path)
    assert "this is" not in str(error.value)


def test_what_jax_notices_only_when_it_runs_is_a_sentence(tmp_path, monkeypatch):
    path = write(tmp_path / "newer.zip", "99.0.0")

    class Program:
        def call(self, *_):
            raise jax.errors.JaxRuntimeError("INVALID_ARGUMENT: Failed to deserialize StableHLO")

    monkeypatch.setattr(stablehlo, "_deserialize", lambda data: Program())
    import numpy as np

    with pytest.raises(UserError, match="99.0.0"):
        stablehlo.load_exported(path)(np.zeros((1, 8, 8, 3), np.uint8), "visible")
