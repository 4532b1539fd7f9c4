"""Training, from a config and a workdir to a trained state: the story, read downwards."""

import contextlib
import json
from pathlib import Path

import jax
import numpy as np
from ml_collections import ConfigDict

from dmcf_jax.config import build as from_config
from dmcf_jax.config.validate import flatten, validate
from dmcf_jax.data.feed import DeviceFeed, HostFeed, choose_placement, device_memory
from dmcf_jax.data.identity_sampler import IdentityTable, identity_table
from dmcf_jax.data.image_store import ImageStore
from dmcf_jax.errors import UserError
from dmcf_jax.methods.dmcf.train_step import TrainState, make_state
from dmcf_jax.models.initial import cut, draw_normals, variable_shapes
from dmcf_jax.models.parameter_table import parameter_table
from dmcf_jax.runs import folder as run_folder
from dmcf_jax.runs.checkpoint import Checkpoints
from dmcf_jax.runtime import compiler_options, hosts
from dmcf_jax.runtime import devices as mesh
from dmcf_jax.runtime.console import log, log_time
from dmcf_jax.runtime.random_keys import named_key, training_keys
from dmcf_jax.runtime.signals import Interruption
from dmcf_jax.training.init_from import overlay, start_from
from dmcf_jax.training.loop import Loop
from dmcf_jax.training.validation import make_judge
from dmcf_jax.weights.imagenet import load_resnet, stream_weights


def train(config: ConfigDict, workdir: str | Path, step: int | None = None) -> TrainState:
    """Train by `config` in `workdir`, from where it stands, and return the final state.

    Everything a user can get wrong is checked before the folder is written to.

    Args:
        step: go back to this checkpoint and move later ones to `<workdir>/set_aside`; by default
            the latest is continued.

    Raises:
        UserError: for a config that cannot be run, missing data, a workdir of another config or
            in use, a damaged checkpoint, a disk that fails, and a loss that stops being finite.
    """
    with Interruption() as interruption:
        return _train(config, Path(workdir), step, interruption)


def _train(config, workdir, step, interruption):
    validate(config)
    run_folder.refuse_other_config(workdir, config)
    store = from_config.load_split(config, config.data.train_splits)
    store, held_out = _hold_out(config, store)
    table = identity_table(store.identity, store.modality, config.sampler.P)
    devices = mesh.make_mesh()
    P, K = config.sampler.P, config.sampler.K
    mesh.check_divides(P * K, devices.size, P, K)
    with (
        run_folder.locked(workdir) as held,
        _disk_told(workdir),
        Checkpoints(workdir, config.train.keep_best) as checkpoints,
    ):
        hosts.agree(
            {
                "the config": flatten(config),
                "the training images": [store.path.tolist(), table.counts.tolist()],
                "the workdir": held.owner(),
                "its checkpoints": checkpoints.steps(),
            }
        )
        if step is not None:
            _go_back(checkpoints, step)
        guards = (checkpoints, held, interruption)
        return _run(config, workdir, store, held_out, table, devices, guards)


@contextlib.contextmanager
def _disk_told(workdir):
    """Tell of a disk that is full, read-only or gone in a sentence."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{error.filename or workdir} cannot be written ({error.strerror or error}). The "
            f"checkpoints in {workdir} are as they were: make room or mend the disk, then run the "
            "same command, which continues from the last one."
        ) from error


def _go_back(checkpoints, step):
    for path in checkpoints.set_aside_after(step):
        log(f"going back to step {step}: moved a later checkpoint to {path}")


def _hold_out(config, store):
    """Split off the identities that training must not see because it is evaluated on them."""
    held_out = np.isin(store.identity, from_config.held_out_identities(config, store.identity))
    return store.select(~held_out), store.select(held_out)


def _write_classes(workdir: Path, store: ImageStore, table: IdentityTable) -> None:
    """Write which identity each class stands for: class c is the c-th of the list."""
    identities = store.identity[table.rows[0, :, 0]].tolist()
    write_atomically(workdir / "classes.json", json.dumps(identities) + "\n")


def _run(config, workdir, store, held_out, table, devices, guards):
    checkpoints, held, interruption = guards
    model = from_config.build_model(config, table.counts.shape[1])
    state = _start_state(config, model, devices, checkpoints)
    start, steps = (checkpoints.steps() or [0])[-1], config.train.steps
    if start >= steps:
        _claim(config, workdir, store, table, state)
        log(f"{workdir} is trained: it stands at step {start} of {steps}.")
        return state
    feed = _make_feed(config, store, table, devices)
    sources = feed.sources(start)
    keys = mesh.shard(training_keys(config.seed), mesh.replicated(devices))
    source = next(sources)
    step_fn = feed.bind(from_config.build_train_step(config, model))
    jitted = jax.jit(step_fn, donate_argnums=0, out_shardings=mesh.replicated(devices))
    lowered = jitted.lower(state, source, keys)
    # Only now is the folder this run's: weights that cannot be read leave it free.
    _claim(config, workdir, store, table, state)
    with log_time(
        f"compiling the training step for {devices.size} x {jax.devices()[0].device_kind}"
    ):
        compiled = lowered.compile(compiler_options=compiler_options.training())
    hosts.wait_for_all()  # a first collective does not wait long for a host that compiles slowly
    judge = make_judge(config, model, held_out, devices)
    loop = Loop(config, workdir, checkpoints, compiled, keys, judge, held, interruption)
    return loop.run(state, source, sources)


def _claim(config, workdir, store, table, state):
    if hosts.is_first():
        run_folder.claim(workdir, config)
        _write_classes(workdir, store, table)
    log(parameter_table(state.params))


def _start_state(config, model, devices, checkpoints) -> TrainState:
    """Return the state of the latest checkpoint or a fresh one, on its devices."""
    optimizer = from_config.build_optimizer(config)
    variables = variable_shapes(model, tuple(config.data.size))
    everywhere = mesh.replicated(devices)
    if checkpoints.steps():
        shapes = jax.eval_shape(lambda fresh: make_state(fresh, optimizer), variables)
        state = checkpoints.load(mesh.with_sharding(shapes, everywhere))
        log(f"continuing from the checkpoint of step {int(state.step)}")
        return state
    create = jax.jit(
        lambda normals, given: make_state(overlay(cut(variables, normals), given), optimizer),
        out_shardings=everywhere,
    )
    given = _given_weights(config, variables)
    return create(draw_normals(variables, named_key(config.seed, "init"), everywhere), given)


def _given_weights(config, shapes) -> dict:
    """Return the variables that do not start at random: a part of a tree like `shapes`."""
    if config.init_from:
        given, notes = start_from(shapes, config.init_from)
        for note in [f"starting from the weights of {config.init_from}", *notes]:
            log(note)
        return given
    if not config.model.pretrained:
        log("NOTE: both streams start at random weights (model.pretrained is empty).")
        return {}
    log(f"both streams start from {config.model.pretrained}")
    sizes, width = tuple(config.model.stage_sizes), config.model.width
    return stream_weights(shapes, load_resnet(config.model.pretrained, sizes, width))


def _make_feed(config, store, table, devices):
    P, K = config.sampler.P, config.sampler.K
    memory = device_memory(jax.devices()[0])
    placement = choose_placement(config.data.placement, store.images.nbytes, memory)
    log(f"{len(store.images)} training images ({store.images.nbytes / 1e6:.0f} MB): {placement}")
    if placement == "device":
        return DeviceFeed(store.images, table, P, K, devices)
    return HostFeed(store.images, table, P, K, devices, training_keys(config.seed).sampling)
