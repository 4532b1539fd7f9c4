"""AlexNet against PyTorch's activations (scripts/make_golden.py), its bins and sizes by hand."""

from functools import cache
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import golden_checks
from support import golden_network as network

from dmcf_jax.models.alexnet import AlexNet, average_grid, bins, map_size
from dmcf_jax.models.resnet import STAGES
from dmcf_jax.models.tree_paths import leaves_by_path

GOLDEN = dict(np.load(Path(__file__).parents[1] / "golden" / "alexnet.npz"))
# Torchvision's: five convolutions with biases, and the first linear layer.
CONVOLUTIONS, LINEAR = 2_469_696, 37_752_832


def shapes_of(size, parts=STAGES, fc6=True, width=64):
    model = AlexNet(width, parts, fc6)
    image = jax.ShapeDtypeStruct((1, *size, 3), jnp.float32)
    return jax.eval_shape(lambda x: model.init_with_output(jax.random.key(0), x, False), image)


@cache
def outputs(conv_impl, train):
    model = AlexNet(network.WIDTH, fc6=True, conv_impl=conv_impl)
    images = network.normalise(network.images("visible 0", 8, network.ALEXNET_SIZE))
    _, shapes = shapes_of(network.ALEXNET_SIZE, width=network.WIDTH)
    variables = golden_checks.make_variables(shapes)
    apply = jax.jit(lambda v, x: model.apply(v, x, train, mutable=["batch_stats"])[0])
    return apply(variables, jnp.asarray(images if train else images[:2]))


@pytest.mark.parametrize("conv_impl", golden_checks.CONV_IMPLS)
def test_every_part_is_pytorchs(conv_impl):
    found = outputs(conv_impl, False)
    assert set(found) == {*STAGES, "fc6"}
    for part in STAGES:
        expected = GOLDEN[part].transpose(0, 2, 3, 1)
        assert golden_checks.relative_error(found[part], expected) < 1e-5, part
    assert golden_checks.relative_error(found["fc6"], GOLDEN["fc6"]) < 1e-5


def test_fc6_in_training_is_pytorchs():
    found = outputs("xla", True)["fc6"]
    assert golden_checks.relative_error(found, GOLDEN["fc6 in training"]) < 1e-4


def test_it_has_torchvisions_parameters_and_a_norm_without_scale():
    _, shapes = shapes_of((227, 227))
    sizes = {name: leaf.size for name, leaf in leaves_by_path(shapes["params"]).items()}
    assert sizes.pop("fc6_bn/bias") == 4096
    linear = sizes.pop("fc6/kernel") + sizes.pop("fc6/bias")
    assert (sum(sizes.values()), linear) == (CONVOLUTIONS, LINEAR)


@pytest.mark.parametrize("size", [(227, 227), (288, 144), (64, 63), (63, 200)])
def test_map_sizes_are_those_of_the_maps(size):
    outputs, _ = shapes_of(size)
    assert {stage: outputs[stage].shape[1:3] for stage in STAGES} == {
        stage: map_size(size, stage) for stage in STAGES
    }


def test_maps_of_the_published_size_and_of_too_small_ones():
    assert [map_size((227, 227), stage) for stage in STAGES] == [(27, 27)] + 4 * [(13, 13)]
    assert map_size((32, 27), "stem") == (3, 2)
    assert map_size((32, 30), "layer1") == (1, 0)


def test_consecutive_parts_are_the_whole():
    whole = shapes_of((96, 80))[0]
    first = shapes_of((96, 80), STAGES[:2])[0]
    assert set(first) == set(STAGES[:2])  # without layer4 there is no fc6
    rest = AlexNet(64, STAGES[2:], True)
    image = jax.ShapeDtypeStruct(first["layer1"].shape, jnp.float32)
    found, _ = jax.eval_shape(lambda x: rest.init_with_output(jax.random.key(0), x, False), image)
    assert {name: leaf.shape for name, leaf in found.items()} == {
        name: whole[name].shape for name in (*STAGES[2:], "fc6")
    }


@pytest.mark.parametrize("size", [1, 2, 5, 6, 7, 13])
def test_bins_are_those_of_adaptive_pooling(size):
    expected = np.zeros((6, size))
    for i in range(6):
        start, end = int(np.floor(i * size / 6)), int(np.ceil((i + 1) * size / 6))
        expected[i, start:end] = 1 / (end - start)
    np.testing.assert_allclose(bins(size, 6), expected)
    rows = np.random.default_rng(0).normal(size=(2, size, 6, 3)).astype(np.float32)
    found = average_grid(jnp.asarray(rows))
    np.testing.assert_allclose(found, np.einsum("is,nswc->niwc", expected, rows), atol=1e-5)
