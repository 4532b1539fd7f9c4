"""Weights of torchvision's AlexNet: what is taken over, and which files are refused."""

import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy
from support.torch_files import write_zip

from dmcf_jax.config.build import build
from dmcf_jax.config.validate import flatten
from dmcf_jax.configs import synthetic
from dmcf_jax.errors import UserError
from dmcf_jax.methods.network.pretrained_streams import stream_weights
from dmcf_jax.models.tree_paths import leaves_by_path
from dmcf_jax.training.start import start_variables
from dmcf_jax.weights.imagenet import load_alexnet, load_resnet
from dmcf_jax.weights.synthetic import refuse_other_networks

WIDTH = 2
# Output channels, input channels and kernel size of torchvision's layers by width.
LAYERS = {0: (1, None, 11), 3: (3, 1, 5), 6: (6, 3, 3), 8: (4, 6, 3), 10: (4, 4, 3)}


def alexnet_tensors(width=WIDTH):
    """What torchvision's file holds, with all three linear layers."""
    draw, shapes = np.random.default_rng(0), {}
    for number, (o, c, s) in LAYERS.items():
        shapes[f"features.{number}.weight"] = (o * width, c * width if c else 3, s, s)
        shapes[f"features.{number}.bias"] = (o * width,)
    for number, (o, c) in {1: (64, 4 * 36), 4: (64, 64)}.items():
        shapes[f"classifier.{number}.weight"] = (o * width, c * width)
        shapes[f"classifier.{number}.bias"] = (o * width,)
    shapes |= {"classifier.6.weight": (10, 64 * width), "classifier.6.bias": (10,)}
    return {name: draw.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def config_with(**changes):
    config = synthetic.get_config("bdtr_alexnet")
    config.update_from_flattened_dict({"model.width": WIDTH, "model.embedding_dim": 4} | changes)
    return config


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("name", ["it.safetensors", "it.pth"])
def test_both_streams_start_from_the_file(tmp_path, prefix, name):
    tensors = alexnet_tensors()
    named = {prefix + key: value for key, value in tensors.items()}
    if name.endswith("pth"):
        write_zip(tmp_path / name, named)
    else:
        safetensors.numpy.save_file(named, tmp_path / name)
    config = config_with(**{"model.pretrained": str(tmp_path / name)})
    params = start_variables(config, build(config, 3))["params"]
    for stream in ("visible", "infrared"):
        kernel = np.asarray(params[stream]["layer1_conv"]["kernel"])
        np.testing.assert_array_equal(kernel, tensors["features.3.weight"].transpose(2, 3, 1, 0))
        for part, theirs in (("stem_conv", "features.0"), ("fc6", "classifier.1")):
            np.testing.assert_array_equal(params[stream][part]["bias"], tensors[f"{theirs}.bias"])
        np.testing.assert_array_equal(
            params[stream]["fc6"]["kernel"], tensors["classifier.1.weight"].T
        )
        assert not np.asarray(params[stream]["fc6_bn"]["bias"]).any()


def test_zero_padding_adds_up_the_first_kernel_and_keeps_its_bias(tmp_path):
    tensors = alexnet_tensors()
    write_zip(tmp_path / "a.pth", tensors)
    built = build(config_with(**{"model.input": "zero_padding"}), 3)
    given = stream_weights(built.variable_shapes(), load_alexnet(tmp_path / "a.pth", WIDTH))
    stem = given["params"]["visible"]["stem_conv"]
    summed = tensors["features.0.weight"].sum(axis=1)
    for channel in (0, 1):
        found = stem["kernel"][:, :, channel].transpose(2, 0, 1)
        np.testing.assert_allclose(found, summed, rtol=1e-5)
    np.testing.assert_array_equal(stem["bias"], tensors["features.0.bias"])


def test_a_network_without_fc6_takes_the_convolutions(tmp_path):
    write_zip(tmp_path / "a.pth", alexnet_tensors())
    changes = {"model.pool": "max", "model.pretrained": str(tmp_path / "a.pth")}
    config = config_with(**changes)
    names = leaves_by_path(start_variables(config, build(config, 3))["params"]["visible"])
    assert "layer4_conv/kernel" in names and not any(name.startswith("fc6") for name in names)


def test_other_files_are_refused_with_all_that_does_not_fit(tmp_path):
    tensors = alexnet_tensors()
    del tensors["features.8.bias"]
    tensors["features.0.weight"] = np.ones((WIDTH, 3, 7, 7), np.float32)
    tensors["features.1.weight"] = np.ones(3, np.float32)
    write_zip(tmp_path / "a.pth", tensors)
    with pytest.raises(UserError) as caught:
        load_alexnet(tmp_path / "a.pth", WIDTH)
    assert set(caught.value.about) == {"features.8.bias", "features.1.weight", "features.0.weight"}
    write_zip(tmp_path / "b.pth", alexnet_tensors())
    with pytest.raises(UserError) as caught:
        load_resnet(tmp_path / "b.pth", (1, 1, 1, 1), WIDTH)
    assert caught.value.about[0] == "model.stage_sizes"


def test_the_weights_in_the_package_are_refused():
    fields = flatten(synthetic.get_config())
    refuse_other_networks(fields)
    with pytest.raises(UserError) as caught:
        refuse_other_networks(fields | {"model.backbone": "alexnet"})
    assert caught.value.about == ("model.backbone",)


def test_half_precision_becomes_float32(tmp_path):
    half = {name: value.astype(jnp.bfloat16) for name, value in alexnet_tensors().items()}
    write_zip(tmp_path / "a.pth", half)
    kernel = load_alexnet(tmp_path / "a.pth", WIDTH)["params"]["fc6"]["kernel"]
    assert kernel.dtype == np.float32
