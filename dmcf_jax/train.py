"""Training, from a config and a workdir to a trained state: the story, read downwards."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh
from ml_collections import ConfigDict

from dmcf_jax.config.build import Built, build, held_out_identities, input_form, load_split
from dmcf_jax.config.validate import validate
from dmcf_jax.data.feed import DeviceLoader, HostLoader, choose_placement, device_memory
from dmcf_jax.data.identity_sampler import IdentityTable, identity_table
from dmcf_jax.data.image_store import ImageStore
from dmcf_jax.evaluation.thresholds import HELD_OUT, TESTED
from dmcf_jax.methods import METHODS
from dmcf_jax.methods.embedder import Embedder
from dmcf_jax.methods.train_state import TrainState
from dmcf_jax.models.tree_paths import parameter_table
from dmcf_jax.runs.data_record import (
    describe,
    metadata_of,
    names_of,
    refuse_other_data,
    write_record,
)
from dmcf_jax.runs.folder import refuse_other_config, write_run_info
from dmcf_jax.runs.run import Run
from dmcf_jax.runs.summary import drop_summary, read_summary
from dmcf_jax.runtime import compiler_options, devices, hosts
from dmcf_jax.runtime.console import log, log_time
from dmcf_jax.runtime.files import write_atomically
from dmcf_jax.runtime.paths import local_path
from dmcf_jax.runtime.random_keys import training_keys
from dmcf_jax.runtime.signals import Interruption
from dmcf_jax.training.classifier_start import start_at_means
from dmcf_jax.training.compile_step import lower_step
from dmcf_jax.training.fit import fit_metric
from dmcf_jax.training.loop import Loop
from dmcf_jax.training.start import start_state
from dmcf_jax.training.summary import TRAINED, make_health, sample_people, summarise
from dmcf_jax.training.validation import Score, validation_images


class TrainingImages(NamedTuple):
    """What a run trains on.

    Attributes:
        store: the decoded training images.
        held_out: images of the identities that `train.eval_every` evaluates on.
        table: rows of `store` by class and modality.
    """

    store: ImageStore
    held_out: ImageStore
    table: IdentityTable

    def classes(self) -> list[int]:
        """Return the identity of each class."""
        return self.store.identity[self.table.rows[0, :, 0]].tolist()


def train(
    config: ConfigDict,
    workdir: str | Path,
    step: int | None = None,
    on_step: Callable[[int, TrainState], None] | None = None,
) -> TrainState:
    """Train by `config` in `workdir`, resuming from its latest checkpoint; return the final state.

    Everything a user can get wrong is checked before the folder is written to.

    Args:
        step: go back to this checkpoint and move later ones to `<workdir>/set_aside`; by default
            training resumes from the latest.
        on_step: called after each step with its number and state, for programs that want to watch
            a run or to act on it.

    Raises:
        UserError: for a config that cannot be run, missing data, a workdir of another config, of
            other data or in use, a damaged checkpoint, a disk that fails, and a loss that stops
            being finite.
    """
    workdir = local_path(workdir, "--workdir")
    with Interruption() as interruption:
        validate(config)
        refuse_other_config(workdir, config)
        images = _load_images(config)
        mesh = devices.make_mesh()
        devices.check_divides(mesh.size, config.sampler.P, config.sampler.K)
        with Run(workdir, config, interruption) as run:
            inputs = [images.store.path.tolist(), images.table.counts.tolist()]
            run.agree({"the training images": inputs})
            if step is not None:
                run.go_back_to(step)
            if run.start:
                record = describe(config, images.classes())
                refuse_other_data(workdir, record, config.data.train_splits)
            return _train(run, images, mesh, on_step)


def _load_images(config: ConfigDict) -> TrainingImages:
    """Load the training images without the identities that are held out for evaluation."""
    store = load_split(config, config.data.train_splits)
    held_out = np.isin(store.identity, held_out_identities(config, store.identity))
    training = store.select(~held_out)
    least = config.sampler.P if METHODS[config.method.name].trained else 1
    table = identity_table(training.identity, training.modality, least)
    return TrainingImages(training, store.select(held_out), table)


def _train(
    run: Run,
    images: TrainingImages,
    mesh: Mesh,
    on_step: Callable[[int, TrainState], None] | None,
) -> TrainState:
    config = run.config
    built = build(config, identities=images.table.counts.shape[1])
    people = names_of(images.classes(), metadata_of(config))
    state = start_state(config, built, mesh, run.checkpoints, people)
    embed = _embedder(config, built, mesh)
    if config.model.classifier_start == "means" and not run.start:
        state = start_at_means(built.model, embed, state, images.store, images.table)
    used = _embedder(config, built, mesh, flip=True) if config.evaluation.flip else embed
    health, score = make_health(run, built), Score(embed, used, built.method.across_only)
    if run.is_finished:
        _write_run(run, images, state)
        log(f"{run.workdir} is trained: step {run.start} of {config.train.steps}.")
        if read_summary(run.workdir) is None:  # it was stopped after its last checkpoint
            unseen = validation_images(config, images.held_out)
            summarise(run, state, health, _people(config, images, unseen), score)
        return state
    if built.train_step is None:
        return _fit_only(run, built, images, state, mesh, score)
    feed = _make_feed(config, images, mesh)
    batches = feed.batches(run.start)
    keys = devices.shard(training_keys(config.seed), devices.replicated(mesh))
    batch = next(batches)
    lowered = lower_step(feed, built.train_step, (state, batch, keys), mesh)
    # The folder becomes this run's only now: weights that cannot be read leave it unused.
    _write_run(run, images, state)
    drop_summary(run.workdir)
    with log_time(f"compiling the training step for {mesh.size} x {jax.devices()[0].device_kind}"):
        compiled = lowered.compile(compiler_options=compiler_options.training())
    hosts.wait_for_all()  # a first collective does not wait long for a host that compiles slowly
    unseen = validation_images(config, images.held_out)
    validate_on = lambda state: score(state, unseen)  # noqa: E731
    fit = lambda state: fit_metric(config, built, state, images.store, mesh)  # noqa: E731
    loop = Loop(run, compiled, keys, validate_on, health.observe, fit, on_step)
    state = loop.run(state, batch, batches)
    if int(state.step) == config.train.steps:
        groups = _people(config, images, unseen)
        summarise(run, state, health, groups, score)
        _show_pictures(run, state, embed, groups)
    return state


def _embedder(config: ConfigDict, built: Built, mesh: Mesh, flip: bool = False) -> Embedder:
    return Embedder(built.model, mesh, config.evaluation.batch_size, flip, input_form(config))


def _show_pictures(
    run: Run, state: TrainState, embed: Embedder, groups: dict[str, ImageStore]
) -> None:
    """Show how a finished run went and whom it finds: of people that were not trained on, if any.

    Nothing is drawn where `train.summary_people` is 0.
    """
    *_, store = [None, *sample_people(run.config, groups).values()]
    if store is None:
        return
    embeddings = embed(state.evaluated, store.images, store.modality)
    if hosts.is_first() and embeddings.any(axis=1).all():  # lengths of 0 have no cosine
        from dmcf_jax.reports.training_pictures import training_pictures  # loads matplotlib

        run.show(training_pictures(run.workdir, embeddings, store), int(state.step))


def _fit_only(
    run: Run, built: Built, images: TrainingImages, state: TrainState, mesh: Mesh, score: Score
) -> TrainState:
    """Fit a method that is not trained by steps; its run is one step."""
    fitted = fit_metric(run.config, built, state, images.store, mesh)
    state = dataclasses.replace(fitted, step=fitted.step + 1)
    _write_run(run, images, state)
    run.checkpoints.save(state)
    run.checkpoints.wait()
    groups = _people(run.config, images, images.held_out)
    summarise(run, state, make_health(run, built), groups, score)
    return state


def _people(config: ConfigDict, images: TrainingImages, unseen: ImageStore) -> dict:
    """Return the images of trained and of other people by what the summary calls them."""
    others = TESTED if config.train.eval_on == "test" else HELD_OUT
    return {TRAINED: images.store} | ({others: unseen} if len(unseen) else {})


def _write_run(run: Run, images: TrainingImages, state: TrainState) -> None:
    """Write config, environment, data and classes: class c is the c-th of classes.json."""
    if hosts.is_first():
        write_run_info(run.workdir, run.config)
        classes = images.classes()
        write_atomically(run.workdir / "classes.json", json.dumps(classes) + "\n")
        write_record(run.workdir, describe(run.config, classes))
    log(parameter_table(state.params))


def _make_feed(config: ConfigDict, images: TrainingImages, mesh: Mesh) -> DeviceLoader | HostLoader:
    pixels, P, K = images.store.images, config.sampler.P, config.sampler.K
    memory = device_memory(jax.devices()[0])
    placement = choose_placement(config.data.placement, pixels.nbytes, memory)
    log(f"{len(pixels)} training images ({pixels.nbytes / 1e6:.0f} MB): {placement}")
    if placement == "device":
        return DeviceLoader(pixels, images.table, P, K, mesh)
    return HostLoader(pixels, images.table, P, K, mesh, training_keys(config.seed).sampling)
