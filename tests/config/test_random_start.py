"""Streams that start at random: lower rates and blocks that begin as their shortcuts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dmcf_jax.config.build import build
from dmcf_jax.configs import default, own, regdb, sysu_mm01


def rates(config):
    return {name: float(rate(jnp.int32(0))) for name, rate in build(config, 3).schedules.items()}


@pytest.mark.parametrize("data", [regdb, sysu_mm01, own])
def test_streams_and_heads_start_slower_at_random_and_sigma_does_not(data):
    config = data.get_config()
    assert rates(config) == pytest.approx(
        {"backbone": 0.0001, "heads": 0.001, "log_variance": 0.01}
    )


@pytest.mark.parametrize("field", ["model.pretrained", "init_from"])
def test_given_weights_have_the_papers_rates(field):
    config = regdb.get_config()
    config.update_from_flattened_dict({field: "weights.safetensors"})
    assert rates(config) == pytest.approx({"backbone": 0.001, "heads": 0.01, "log_variance": 0.01})


def test_other_methods_and_the_bare_default_keep_their_rates():
    assert rates(default.get_config())["heads"] == pytest.approx(0.01)
    assert rates(regdb.get_config("bdtr")) == pytest.approx({"backbone": 0.001, "heads": 0.01})


def fresh(blocks, start="shortcut"):
    """Return a small network with so many blocks in layer1, and its fresh variables."""
    config = regdb.get_config()
    changes = {"stage_sizes": (blocks, 1, 1, 1), "width": 2, "block_start": start}
    config.update_from_flattened_dict({f"model.{name}": value for name, value in changes.items()})
    config.data.size, config.model.levels, config.model.stripes = (32, 16), ("layer1",), (1,)
    built = build(config, 3)
    return built.model, built.random_variables(seed=0)


def test_blocks_begin_as_their_shortcuts():
    (long, variables), (short, _) = fresh(3), fresh(1)
    images = jax.random.normal(jax.random.key(0), (2, 32, 16, 3))
    without = {
        kind: parts
        | {
            stream: {name: part for name, part in parts[stream].items() if name[:7] != "layer1_"}
            | {"layer1_0": parts[stream]["layer1_0"]}
            for stream in ("visible", "infrared")
        }
        for kind, parts in variables.items()
    }
    for modality in ("visible", "infrared"):
        maps = long.apply(variables, images, modality, method="feature_maps")
        expected = short.apply(without, images, modality, method="feature_maps")
        for one, other in zip(maps.values(), expected.values(), strict=True):
            assert np.ptp(one) > 0.1
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("start", "scale"), [("shortcut", 0.0), ("full", 1.0)])
def test_only_the_last_scale_of_a_block_differs(start, scale):
    stream = fresh(2, start)[1]["params"]["infrared"]
    for block in (stream["layer1_1"], stream["layer1_0"]):
        assert np.all(np.asarray(block["bn3"]["scale"]) == scale)
        assert np.all(np.asarray(block["bn2"]["scale"]) == 1)
        assert np.std(block["conv3"]["kernel"]) > 0.01


def test_triplets_begin_late_in_a_random_start_or_as_the_config_says():
    config = regdb.get_config()
    start = lambda: build(config, 3).fields["loss.triplet_start_step"]  # noqa: E731
    assert start() == 3000
    config.loss.triplet_start_step = 7
    assert start() == 7
    config.loss.triplet_start_step, config.model.pretrained = None, "weights.safetensors"
    assert start() == 0
