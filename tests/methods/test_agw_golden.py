"""Three steps of AGW with channel augmentation and an average, compared with PyTorch's.

The tensors are made by scripts/make_golden.py. Everything of a step takes part: channel
augmentation, network, losses, optimiser, average.
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import golden_checks
from support import golden_network as network

from dmcf_jax.config.build import build
from dmcf_jax.configs import regdb
from dmcf_jax.runtime.random_keys import folded
from dmcf_jax.weights.torch_names import to_torch

pytestmark = pytest.mark.usefixtures("standard_promotion")
GOLDEN = Path(__file__).parents[1] / "golden" / "agw.npz"


def make_built():
    config = regdb.get_config("agw")
    config.update_from_flattened_dict(
        {
            "dtype": "float64",  # in float32 rounding is a percent of some tensors' movement
            "data.size": golden_checks.SIZE,
            "data.pad": 0,
            "data.flip": 0.0,
            "data.views": "channels",
            "model.stage_sizes": network.STAGE_SIZES,
            "model.width": network.WIDTH,
            "loss.triplet_start_step": 0,
            "optim.warmup_steps": 0,
            "ema.decay": network.AGW_DECAY,
        }
        | {f"optim.{name}": value for name, value in network.AGW.items()}
    )
    return build(config, len(set(network.LABELS)))


def test_the_draws_of_the_key_are_those_that_pytorch_was_given():
    draw = jax.random.uniform(folded(jax.random.key(0), "channels"), (2, len(network.LABELS)))
    exchanged, eighths = np.floor(3 * np.asarray(draw[0])), np.floor(8 * np.asarray(draw[1]))
    choices = [3 if e == 6 else 4 if e == 7 else e // 2 for e in eighths]
    assert (tuple(exchanged), tuple(choices)) == (network.EXCHANGED, network.INFRARED_CHOICES)


def tensors(variables):
    named = to_torch(jax.device_get(variables))
    return {name: value for name, value in named.items() if not name.endswith("running_var")}


def check_movement(start, end, expected, tolerance=1e-4):
    """Compare to `tolerance` of the length of each tensor's movement."""
    for name, wanted in expected.items():
        found = network.projections(name, end[name] - start[name])
        # A bias in front of a batch norm moves by rounding alone.
        error = np.abs(found - wanted).max() / max(wanted[0], 1e-5)
        assert error < tolerance, (name, found, wanted)


@pytest.mark.slow
def test_steps_and_average_are_those_of_pytorch():
    golden = dict(np.load(GOLDEN))
    rows = {
        part: dict(zip(golden["names"], golden[part], strict=True))
        for part in ("first", "last", "average")
    }
    with jax.enable_x64(True):
        built = make_built()
        assert built.train_step is not None
        variables = golden_checks.make_variables(built.variable_shapes())
        start = tensors(variables)
        assert set(start) == set(golden["names"])
        state = built.make_state(jax.tree.map(jnp.float64, variables))
        step_fn = jax.jit(built.train_step)
        for step in range(network.AGW_STEPS):
            key = jax.random.key(0)
            state, metrics = step_fn(state, golden_checks.batch(step), key)
            assert float(metrics["loss"]) == pytest.approx(float(golden[f"loss/{step}"]), rel=1e-4)
            if step == 0:
                check_movement(start, tensors(state.variables), rows["first"])
    check_movement(start, tensors(state.variables), rows["last"])
    check_movement(start, tensors(state.average), rows["average"])
