"""A ResNet-50 saved by PyTorch itself gives the same activations here as there, in every format.

Skipped where torch is not installed; test_golden.py holds the same numbers as files.
"""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy

from dmcf_jax.models.resnet import ResNet50
from dmcf_jax.pretrained import load_resnet50
from dmcf_jax.torch_names import to_torch

torch = pytest.importorskip("torch", reason="needs the `torch` extra")
sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks import torch_dmcf  # noqa: E402

FORMATS = ("zip.pth", "stream.pth", "it.safetensors", "there and back.safetensors")


@pytest.fixture(scope="module")
def theirs():
    """A ResNet-50 of random weights and random statistics, its classifier, and its activations."""
    torch.manual_seed(0)
    model = torch_dmcf.ResNet()
    model.fc = torch.nn.Linear(2048, 10)
    for name, value in model.state_dict().items():
        if name.endswith("running_mean"):
            value.normal_(0, 0.2)
        elif name.endswith("running_var"):
            value.uniform_(0.5, 2)
    images = torch.randn(2, 3, 96, 48)
    with torch.no_grad():
        return model.eval(), images, model(images)


def save(model, path):
    state = model.state_dict()
    if path.suffix == ".safetensors":
        arrays = {name: value.numpy() for name, value in state.items()}
        safetensors.numpy.save_file(arrays, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=path.stem == "zip")


@pytest.mark.parametrize("name", FORMATS)
def test_resnet50_gives_pytorchs_activations(tmp_path, theirs, name):
    model, images, expected = theirs
    save(model, tmp_path / name)
    variables = load_resnet50(tmp_path / name)
    if name.startswith("there and back"):
        safetensors.numpy.save_file(to_torch(variables), tmp_path / name)
        variables = load_resnet50(tmp_path / name)
    ours = jnp.asarray(images.numpy().transpose(0, 2, 3, 1))
    network = ResNet50(dtype=jnp.dtype("float32"))
    outputs = jax.jit(lambda v, x: network.apply(v, x, train=False))(variables, ours)
    for part, found in outputs.items():
        wanted = expected[part].numpy().transpose(0, 2, 3, 1)
        assert np.abs(found - wanted).max() / np.abs(wanted).max() < 1e-4, part
