"""The state that a run starts from: its latest checkpoint, given weights, or random numbers."""

from collections.abc import Sequence
from pathlib import Path

import jax
from jax.sharding import Mesh
from jaxtyping import Array
from ml_collections import ConfigDict

from dmcf_jax.config.build import Built, build
from dmcf_jax.config.starts import triplet_start
from dmcf_jax.config.validate import flatten
from dmcf_jax.configs import synthetic as small_network
from dmcf_jax.methods.network.levels import features_of
from dmcf_jax.methods.network.pretrained_streams import reduction_weights, stream_weights
from dmcf_jax.methods.train_state import TrainState
from dmcf_jax.models.initial import draw_normals
from dmcf_jax.runs.checkpoint import Checkpoints
from dmcf_jax.runs.load import TrainedModel
from dmcf_jax.runtime.console import log
from dmcf_jax.runtime.devices import replicated, with_sharding
from dmcf_jax.runtime.random_keys import named_key
from dmcf_jax.training.init_from import overlay, start_from
from dmcf_jax.weights import synthetic
from dmcf_jax.weights.imagenet import load_alexnet, load_resnet


def start_state(
    config: ConfigDict,
    built: Built,
    mesh: Mesh,
    checkpoints: Checkpoints,
    people: Sequence[str] | None = None,
) -> TrainState:
    """Return the state of the latest checkpoint, or a fresh one, on all devices of `mesh`.

    Args:
        people: names of the classes, by which classifiers in `init_from` are taken or left out.
    """
    everywhere = replicated(mesh)
    if checkpoints.steps():
        state = checkpoints.load(with_sharding(built.state_shapes(), everywhere))
        log(f"resuming from the checkpoint of step {int(state.step)}")
        return state
    shapes = built.variable_shapes()
    key = named_key(config.seed, "init")

    def create(normals: Array, given: dict) -> TrainState:
        return built.make_state(overlay(built.fresh_variables(shapes, normals, key), given))

    _note_short_run(config)
    given = _given_weights(config, built, shapes, people)
    normals = draw_normals(shapes, key, everywhere)
    return jax.jit(create, out_shardings=everywhere)(normals, given)


def start_variables(config: ConfigDict, built: Built) -> dict:
    """Return the variables that a new run starts from: given weights, the rest random."""
    given = _given_weights(config, built, built.variable_shapes())
    return overlay(built.random_variables(config.seed), given)


def is_packaged(source: str | Path) -> bool:
    """Return whether a model's name means the weights in the package: no folder is called so."""
    return str(source) == synthetic.NAME and not Path(source).exists()


def packaged_model() -> TrainedModel:
    """Return the small network with the weights in the package, which need no training."""
    config = small_network.get_config()
    built = build(config, identities=2)  # its classifiers are not used
    variables = start_variables(config, built)
    return TrainedModel(config, built.model, variables, 0, "the weights in the package")


def _given_weights(
    config: ConfigDict, built: Built, shapes: dict, people: Sequence[str] | None = None
) -> dict:
    """Return the variables that do not start at random: a part of a tree like `shapes`."""
    if config.init_from:
        given, notes = start_from(shapes, config.init_from, people)
        for note in [f"starting from the weights of {config.init_from}", *notes]:
            log(note)
        return given
    if not built.method.trained:
        return {}
    if not config.model.pretrained:
        gentler = _gentler(config, built)
        log(f"NOTE: both streams start at random weights (model.pretrained is empty){gentler}.")
        return {}
    log(f"both streams start from {config.model.pretrained}")
    if config.model.pretrained == synthetic.NAME:
        return _synthetic_weights(config, shapes)
    return stream_weights(shapes, _backbone_weights(config))


def _gentler(config: ConfigDict, built: Built) -> str:
    """Return what is gentler than it would be with given weights."""
    factor, start = config.optim.random_start_factor, triplet_start(config)
    changes = [f"the rates are {factor:g} times as high"] if factor != 1 else []
    if start and built.method.reads_field("loss.triplet_start_step"):
        changes.append(f"triplet losses count from step {start}")
    return "".join(f"; {one}" for one in changes)


def _backbone_weights(config: ConfigDict) -> dict:
    """Return the variables of a complete stream from the file that the config names."""
    model = config.model
    if model.backbone == "alexnet":
        return load_alexnet(model.pretrained, model.width)
    return load_resnet(model.pretrained, tuple(model.stage_sizes), model.width)


def _note_short_run(config: ConfigDict) -> None:
    warm_up, steps = config.optim.warmup_steps, config.train.steps
    if warm_up > steps:
        log(
            f"NOTE: the run ends in its warm-up: after {steps} of optim.warmup_steps={warm_up} the "
            f"rates have reached {steps / warm_up:.0%} of their values."
        )


def _synthetic_weights(config: ConfigDict, shapes: dict) -> dict:
    """Return both streams from the package's weights, and the reductions that fit."""
    fields = flatten(config)
    synthetic.refuse_other_networks(fields)
    variables, theirs = synthetic.load_synthetic(), synthetic.trained_with()
    streams = stream_weights(shapes, variables)
    same = ("model.embedding_dim", "model.neck")
    if any(fields[name] != theirs[name] for name in same):
        log("NOTE: the heads start at random weights: embedding_dim or neck differ.")
        return streams
    features = features_of(tuple(config.model.levels), tuple(config.model.stripes))
    known = features_of(tuple(theirs["model.levels"]), tuple(theirs["model.stripes"]))
    reductions = reduction_weights(shapes, features, variables, known)
    return {name: streams[name] | reductions[name] for name in streams}
