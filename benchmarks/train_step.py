"""The compiled training step, timed on random images in memory."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from benchmarks import measure
from dmcf_jax.config.build import build, build_model
from dmcf_jax.config.validate import validate
from dmcf_jax.data.feed import DeviceLoader
from dmcf_jax.data.identity_sampler import identity_table
from dmcf_jax.errors import UserError
from dmcf_jax.methods import METHODS
from dmcf_jax.models.initial import draw_normals, variable_shapes
from dmcf_jax.runtime import compiler_options
from dmcf_jax.runtime import devices as mesh
from dmcf_jax.runtime.random_keys import named_key, training_keys
from dmcf_jax.training.compile_step import lower_step

IDENTITIES = 64  # in the random training set, or P where that is more


def benchmark_train_step(config: ConfigDict, repeats: int = 7) -> dict:
    """Return the median seconds of one step of `config`, its spread, and what it computes.

    Model FLOPs are three forward passes over the batch, as is usual: recomputation, the form of
    the convolutions and Adam do not count.

    Raises:
        UserError: a config that cannot be run, or whose method is not trained by steps.
    """
    validate(config)
    if METHODS[config.method.name].trained is None:
        text = f"method.name: {config.method.name} has no training step; choose another method"
        raise UserError(text, about="method.name")
    run_step = make_step(config)
    return measure.report(
        "train_step",
        measure.seconds_of(run_step, repeats),
        images=2 * config.sampler.P * config.sampler.K,
        dtype=config.dtype,
        flops=step_flops(config),
        size=list(config.data.size),
    )


def make_step(config: ConfigDict) -> Callable[[], tuple]:
    """Compile the step of `config` and return a function that takes it once, from where it is."""
    return make_step_and_program(config)[0]


def make_step_and_program(config: ConfigDict) -> tuple[Callable[[], tuple], jax.stages.Compiled]:
    """Return what `make_step` does, and the compiled program.

    The images are random: identities with K of each modality, at the config's size, on the
    devices as in training.
    """
    P, K = config.sampler.P, config.sampler.K
    identities = max(IDENTITIES, P)
    devices = mesh.make_mesh()
    images = np.random.default_rng(0).integers(
        0, 256, (2 * identities * K, *config.data.size, 3), np.uint8
    )
    identity = np.repeat(np.arange(identities, dtype=np.int32), 2 * K)
    modality = np.tile(np.arange(2, dtype=np.int32), identities * K)
    feed = DeviceLoader(images, identity_table(identity, modality, P), P, K, devices)
    compiled, state, source, keys = _compile(config, identities, feed, devices)

    def run_step():
        nonlocal state
        state, metrics = compiled(state, source, keys)
        return state, metrics

    return run_step, compiled


def _compile(config, identities, feed, devices):
    built = build(config, identities)
    shapes = built.variable_shapes()
    everywhere = mesh.replicated(devices)
    key = named_key(config.seed, "init")
    create = jax.jit(
        lambda n: built.make_state(built.fresh_variables(shapes, n, key)), out_shardings=everywhere
    )
    state = create(draw_normals(shapes, key))
    keys = jax.device_put(training_keys(config.seed), everywhere)
    source = next(feed.batches(0))
    lowered = lower_step(feed, built.train_step, (state, source, keys), devices)
    compiled = lowered.compile(compiler_options=compiler_options.training())
    return compiled, state, source, keys


def step_flops(config: ConfigDict) -> float:
    """Return the model FLOPs of one step: three times the forward pass of the batch."""
    model = build_model(config, IDENTITIES, conv_impl="xla")
    size = tuple(config.data.size)
    variables = variable_shapes(model, size)
    pairs = jax.ShapeDtypeStruct((config.sampler.P * config.sampler.K, *size, 3), jnp.float32)
    return 3 * measure.forward_flops(
        lambda v, x, y: model.apply(v, x, y, False), variables, pairs, pairs
    )
