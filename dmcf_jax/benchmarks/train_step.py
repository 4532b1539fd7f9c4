"""The compiled training step, timed on random images in memory."""

import time

import jax
import numpy as np
from ml_collections import ConfigDict

from dmcf_jax import from_config, mesh
from dmcf_jax.data.feed import DeviceFeed
from dmcf_jax.data.identity_sampler import identity_table
from dmcf_jax.models.initial import cut, draw_normals, variable_shapes
from dmcf_jax.streams import stream, training_keys
from dmcf_jax.train_step import make_state, make_train_step


def benchmark_train_step(config: ConfigDict, repeats: int = 7, warm_up: int = 2) -> dict:
    """Return the median seconds of one step of `config`, its spread, and what it computes.

    The images are random: 64 identities with K of each modality, at the config's size.
    """
    P, K = config.sampler.P, config.sampler.K
    identities = max(64, P)
    devices = mesh.make_mesh()
    rows = 2 * identities * K
    shape = (rows, *config.data.size, 3)
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    identity = np.repeat(np.arange(identities, dtype=np.int32), 2 * K)
    modality = np.tile(np.arange(2, dtype=np.int32), identities * K)
    feed = DeviceFeed(images, identity_table(identity, modality, P), P, K, devices)
    compiled, state, source, keys = _compile(config, identities, feed, devices)
    seconds = []
    for _ in range(warm_up + repeats):
        start = time.perf_counter()
        state, metrics = compiled(state, source, keys)
        jax.block_until_ready((state, metrics))
        seconds.append(time.perf_counter() - start)
    seconds = sorted(seconds[warm_up:])
    median = seconds[len(seconds) // 2]
    return {
        "what": "train_step",
        "seconds": median,
        "seconds_min": seconds[0],
        "seconds_max": seconds[-1],
        "images_per_second": 2 * P * K / median,
        "flops": compiled.cost_analysis()["flops"],
        "device": jax.devices()[0].device_kind,
        "devices": devices.size,
        "dtype": config.dtype,
        "images": 2 * P * K,
        "size": list(config.data.size),
    }


def _compile(config, identities, feed, devices):
    model = from_config.build_model(config, identities)
    optimizer = from_config.build_optimizer(config)
    step = make_train_step(
        model, optimizer, from_config.build_schedules(config), from_config.build_recipe(config)
    )
    shapes = variable_shapes(model, tuple(config.data.size))
    everywhere = mesh.replicated(devices)
    create = jax.jit(lambda n: make_state(cut(shapes, n), optimizer), out_shardings=everywhere)
    state = create(draw_normals(shapes, stream(config.seed, "init")))
    keys = jax.device_put(training_keys(config.seed), everywhere)
    source = next(feed.sources(0))
    jitted = jax.jit(feed.bind(step), donate_argnums=0, out_shardings=everywhere)
    return jitted.lower(state, source, keys).compile(), state, source, keys
