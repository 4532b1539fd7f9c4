"""Rates of a run whose streams start at random: lower, as the paper's collapse there."""

import jax.numpy as jnp
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
