"""Files of weights as people pass them around: in a dictionary, with a prefix before each name."""

import numpy as np
import pytest
import safetensors.numpy
from support.torch_files import write_zip

from dmcf_jax.errors import UserError
from dmcf_jax.weights.imagenet import _without_prefix
from dmcf_jax.weights.read import read_weights
from dmcf_jax.weights.torch_pickle import read_torch_file

NAMES = ("conv1.weight", "bn1.weight", "layer1.0.conv1.weight", "layer4.0.conv2.weight")


def tensors(prefix=""):
    return {f"{prefix}{name}": np.full((2, 1), n, np.float32) for n, name in enumerate(NAMES)}


@pytest.mark.parametrize("inside", ["state_dict", "net", "model"])
def test_the_one_dictionary_of_tensors_in_a_checkpoint_is_read_and_said(tmp_path, capsys, inside):
    others = {"epoch": 60, "arch": "resnet50", "best_acc1": 76.1, "optimizer": {"state": {}}}
    write_zip(tmp_path / "a.pth", tensors(), others, inside)
    found = read_torch_file(tmp_path / "a.pth")
    assert sorted(found) == sorted(NAMES) and f"'{inside}'" in capsys.readouterr().err
    np.testing.assert_array_equal(found["bn1.weight"], [[1], [1]])


def test_tensors_beside_something_else_are_still_refused(tmp_path):
    write_zip(tmp_path / "a.pth", tensors(), {"epoch": 60})
    with pytest.raises(UserError, match="epoch"):
        read_torch_file(tmp_path / "a.pth")


@pytest.mark.parametrize("prefix", ["module.", "backbone.", "module.encoder_q.", "0."])
def test_a_prefix_that_all_names_share_is_left_out_and_said(capsys, prefix):
    assert list(_without_prefix(tensors(prefix), "a.pth")) == list(NAMES)
    assert prefix in capsys.readouterr().err


def test_without_a_prefix_or_with_two_networks_nothing_is_changed():
    two = tensors("online.") | tensors("target.")
    assert _without_prefix(two, "a.pth") is two
    plain = tensors()
    assert _without_prefix(plain, "a.pth") is plain


@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 10\n", "git lfs pull"),
        (b"\n<!DOCTYPE html><html>Virus scan warning</html>", "web page"),
    ],
)
def test_what_people_download_in_place_of_weights_is_named(tmp_path, name, content, word):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=word) as error:
        read_weights(tmp_path / name)
    assert error.value.about == (str(tmp_path / name),)


def test_a_prefix_in_safetensors_is_the_same(tmp_path):
    safetensors.numpy.save_file(tensors("module."), tmp_path / "a.safetensors")
    found = safetensors.numpy.load_file(tmp_path / "a.safetensors")
    assert sorted(_without_prefix(found, "a")) == sorted(NAMES)
