"""Three steps of `baseline_2019` and of BDTR compared with PyTorch's (scripts/make_golden.py)."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import golden_checks
from support import golden_network as network

from dmcf_jax.config.build import build
from dmcf_jax.configs import regdb
from dmcf_jax.data.identity_sampler import PairBatch
from dmcf_jax.methods.train_state import make_state
from dmcf_jax.weights.torch_names import to_torch

pytestmark = pytest.mark.usefixtures("standard_promotion")
GOLDEN = Path(__file__).parents[1] / "golden" / "single_level.npz"


def config_of(row):
    config = regdb.get_config(row)
    config.update_from_flattened_dict(
        {
            "data.size": network.size_of(row),
            "data.pad": 0,
            "data.flip": 0.0,
            "model.width": network.WIDTH,
            "model.embedding_dim": network.EMBEDDING_DIM,
            "model.dropout": 0.0,
        }
    )
    if row != "baseline_2019":
        config.loss.triplet_start_step = 0
    if row != "bdtr_alexnet":
        config.model.stage_sizes = network.STAGE_SIZES
    return config


@pytest.mark.slow
@pytest.mark.parametrize("row", network.SINGLE_LEVEL)
def test_three_steps_are_those_of_pytorch(row):
    expected = {
        name.removeprefix(f"{row}/"): value
        for name, value in np.load(GOLDEN).items()
        if name.startswith(f"{row}/")
    }
    built = build(config_of(row), len(network.SINGLE_LABELS))
    variables = golden_checks.make_variables(built.variable_shapes())
    before = to_torch({"params": variables["params"]})
    state = make_state(jax.tree.map(jnp.asarray, variables), built.optimizer)
    step_fn, count = jax.jit(built.train_step), len(network.SINGLE_LABELS)
    for step in range(network.SINGLE_STEPS):
        images = [
            jnp.asarray(network.images(f"{m} {step}", count, network.size_of(row)))
            for m in ("visible", "infrared")
        ]
        batch = PairBatch(*images, jnp.array(network.SINGLE_LABELS, jnp.int32))
        state, metrics = step_fn(state, batch, jax.random.key(0))
        assert float(metrics["loss"]) == pytest.approx(
            float(expected.pop(f"loss/{step}")), rel=1e-4
        )
    after = to_torch({"params": jax.device_get(state.params)})
    assert after.keys() == expected.keys()
    for name, value in after.items():
        found, wanted = network.projections(name, value - before[name]), expected[name]
        # Relative to the length of the movement, three small steps; a bias before batch norm moves
        # by rounding alone.
        error = np.abs(found - wanted).max() / max(wanted[0], 1e-5)
        assert error < 5e-3, (name, found, wanted)
