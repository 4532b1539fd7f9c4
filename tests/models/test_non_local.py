"""The non-local block against loops over positions, its start, and where a network has it."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dmcf_jax.methods.network.pretrained_streams import stream_weights
from dmcf_jax.methods.network.two_streams import TwoStreams
from dmcf_jax.models.initial import draw_normals, variable_shapes, variables_from_normals
from dmcf_jax.models.non_local import NonLocal
from dmcf_jax.models.resnet import ResNet

pytestmark = pytest.mark.usefixtures("standard_promotion")
MAPS = np.random.default_rng(0).normal(size=(2, 3, 2, 4)).astype(np.float32)
SMALL = {"stage_sizes": (1, 2, 3, 1), "width": 2, "levels": ("layer3",), "stripes": (1,)}
SIZE = (32, 32)


def drawn():
    block, draw = NonLocal(), np.random.default_rng(1)
    variables: Any = block.init(jax.random.key(0), jnp.asarray(MAPS), False)
    return block, jax.tree.map(lambda leaf: draw.uniform(0.2, 1, leaf.shape).astype("f"), variables)


def literal(variables):
    """The block in evaluation, position by position."""
    weights, running = variables["params"], variables["batch_stats"]["bn"]
    expected = np.zeros(MAPS.shape)

    def mapped(name, x):
        return x @ weights[name]["kernel"].astype(np.float64) + weights[name]["bias"]

    for n, image in enumerate(MAPS.astype(np.float64)):
        positions = [(i, j) for i in range(3) for j in range(2)]
        for here in positions:
            y = np.zeros(2)
            for there in positions:
                alike = mapped("theta", image[here]) @ mapped("phi", image[there])
                y += alike / len(positions) * mapped("g", image[there])
            normed = (mapped("w", y) - running["mean"]) / np.sqrt(running["var"] + 1e-5)
            added = normed * weights["bn"]["scale"] + weights["bn"]["bias"]
            expected[n][here] = image[here] + added
    return expected


def test_it_equals_a_loop_over_positions_with_half_of_the_channels():
    block, variables = drawn()
    assert variables["params"]["theta"]["kernel"].shape == (4, 2)
    found: Any = block.apply(variables, jnp.asarray(MAPS), False)
    np.testing.assert_allclose(found, literal(variables), rtol=1e-4)


def made(non_local):
    network = TwoStreams(3, **SMALL, shared_from="layer2", non_local=non_local)
    shapes = variable_shapes(network, SIZE)
    return network, variables_from_normals(shapes, draw_normals(shapes, jax.random.key(0)))


def blocks_of(variables):
    return {
        f"{stream}/{name}"
        for stream in ("visible", "infrared", "shared")
        for name in variables["params"][stream]
        if "non_local" in name
    }


@pytest.mark.slow
def test_it_follows_the_last_blocks_of_a_stage_in_each_stream_that_has_it():
    assert blocks_of(made((0, 1, 2, 0))[1]) == {
        "shared/layer2_1_non_local",
        "shared/layer3_1_non_local",
        "shared/layer3_2_non_local",
    }
    both = {"visible/layer1_0_non_local", "infrared/layer1_0_non_local"}
    assert blocks_of(made((9, 0, 0, 0))[1]) == both  # at most all blocks of a stage
    assert not blocks_of(made((0, 0, 0, 0))[1])


@pytest.mark.slow
def test_a_fresh_network_is_the_same_with_it():
    (network, variables), (plain, _) = made((0, 2, 3, 0)), made((0, 0, 0, 0))
    without = jax.tree.map(lambda leaf: leaf, variables)
    for name in blocks_of(variables):
        stream, block = name.split("/")
        del without["params"][stream][block], without["batch_stats"][stream][block]
    images = jnp.asarray(np.random.default_rng(2).normal(size=(2, *SIZE, 3)), jnp.float32)
    expected: Any = plain.apply(without, images, "visible", method="embed")
    found: Any = network.apply(variables, images, "visible", method="embed")
    np.testing.assert_array_equal(found, expected)


def test_the_gradient_reaches_a_scale_that_starts_at_zero():
    block = NonLocal()
    own: Any = block.init(jax.random.key(0), jnp.asarray(MAPS), True)
    own["params"]["bn"]["scale"] = jnp.zeros(4)

    def total(params):
        variables, maps = {**own, "params": params}, jnp.asarray(MAPS)
        rows: Any = block.apply(variables, maps, True, mutable=["batch_stats"])[0]
        return jnp.sum(rows * jnp.arange(MAPS.size).reshape(MAPS.shape))

    assert np.abs(jax.grad(total)(own["params"])["bn"]["scale"]).min() > 0


@pytest.mark.slow
def test_pretrained_streams_leave_it_as_it_is():
    _, variables = made((0, 2, 3, 0))
    blank = jnp.zeros((1, *SIZE, 3))
    resnet: Any = ResNet(SMALL["stage_sizes"], 2).init(jax.random.key(1), blank, False)
    given = stream_weights(variables, resnet)["params"]["shared"]
    assert set(given) == {name for name in variables["params"]["shared"] if "local" not in name}
