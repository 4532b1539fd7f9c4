"""The recipe `strong` on eight devices against one: losses, weights, statistics, average."""

import jax
import numpy as np
import pytest

from dmcf_jax.config.build import build
from dmcf_jax.configs import regdb
from dmcf_jax.data.feed import DeviceLoader
from dmcf_jax.data.identity_sampler import identity_table
from dmcf_jax.models.initial import draw_normals, variable_shapes, variables_from_normals
from dmcf_jax.runtime import devices
from dmcf_jax.runtime.random_keys import training_keys

pytestmark = pytest.mark.usefixtures("standard_promotion")
P, K, IDENTITIES, STEPS, SIZE = 4, 2, 6, 3, (32, 16)
CHANGES = {
    "data.size": SIZE,
    "data.pad": 2,
    "model.levels": ("layer2",),
    "model.stage_sizes": (1, 1, 1, 1),
    "model.width": 2,
    "sampler.P": P,
    "sampler.K": K,
    "loss.triplet_start_step": 0,
    "optim.lr_backbone": 0.001,
    "optim.lr_heads": 0.01,
    "ema.decay": 0.9,
}


def train_on(number):
    """Take three steps on `number` devices; return state and losses."""
    mesh = devices.make_mesh(jax.devices()[:number])
    everywhere = devices.replicated(mesh)
    config = regdb.get_config("strong")
    config.update_from_flattened_dict(CHANGES)
    built = build(config, IDENTITIES)
    identity = np.repeat(np.arange(IDENTITIES, dtype=np.int32), 2 * K)
    modality = np.tile(np.arange(2, dtype=np.int32), IDENTITIES * K)
    images = np.random.default_rng(0).integers(0, 256, (len(identity), *SIZE, 3), np.uint8)
    feed = DeviceLoader(images, identity_table(identity, modality, P), P, K, mesh)
    shapes = variable_shapes(built.model, SIZE)
    variables = variables_from_normals(shapes, draw_normals(shapes, jax.random.key(0)))
    state = devices.shard(built.make_state(variables), everywhere)
    inputs = next(feed.batches(0)), devices.shard(training_keys(0), everywhere)
    assert built.train_step is not None
    step = jax.jit(feed.wrap_step(built.train_step), out_shardings=everywhere)
    losses = []
    for _ in range(STEPS):
        state, metrics = step(state, *inputs)
        losses.append(float(metrics["loss"]))
    return jax.device_get(state), losses


@pytest.mark.slow
def test_eight_devices_do_what_one_does():
    (one, losses), (eight, others) = train_on(1), train_on(8)
    np.testing.assert_allclose(others, losses, rtol=1e-4)
    for part in ("params", "batch_stats", "average"):
        for a, b in zip(*(jax.tree.leaves(getattr(s, part)) for s in (one, eight)), strict=True):
            assert np.abs(a - b).max() <= 1e-4 * max(np.abs(a).max(), 1e-3), part
    trees = map(jax.tree.leaves, (one.batch_stats, one.average["batch_stats"]))
    apart = [np.abs(a - b).max() for a, b in zip(*trees, strict=True)]
    assert max(apart) > 1e-3  # the average is no copy
