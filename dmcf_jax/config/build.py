"""The one place where config fields become plain arguments: network, optimiser, step, data."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from jaxtyping import Array
from ml_collections import ConfigDict

from dmcf_jax.config.starts import starts_at_random, triplet_start, weighting_start
from dmcf_jax.config.validate import flatten
from dmcf_jax.configs import default
from dmcf_jax.data.augment import Augmentation
from dmcf_jax.data.datasets import DATASETS
from dmcf_jax.data.image_store import ImageStore, load_images
from dmcf_jax.data.prepare_input import InputForm
from dmcf_jax.data.records.prepared import read_metadata
from dmcf_jax.data.records.prepared import wide_range as wide_range_of
from dmcf_jax.data.wide_values import WideRange
from dmcf_jax.methods import METHODS
from dmcf_jax.methods.method import Group, Method, Watched
from dmcf_jax.methods.optimizer import OptimSettings, make_optimizer
from dmcf_jax.methods.schedules import make_cosine_schedule, make_schedule, scaled
from dmcf_jax.methods.train_state import TrainState, make_state
from dmcf_jax.methods.train_step import make_train_step
from dmcf_jax.models.initial import (
    as_shortcuts,
    draw_normals,
    variable_shapes,
    variables_from_normals,
)
from dmcf_jax.runtime import hosts
from dmcf_jax.runtime.random_keys import named_key


class Built(NamedTuple):
    """What a config stands for, resolved once.

    Attributes:
        method: how it is trained and what is fitted.
        fields: those that concern the method, by dotted name.
        model: the network.
        size: height and width of its input images, pixels.
        optimizer: of all parameter groups.
        schedules: learning rate by step of each group.
        train_step: (state, batch, key) -> (state, metrics), to be jitted; None where nothing is
            trained by steps.
        watched: what the alarms look at.
        averaged: whether states keep an average over the steps.
        shortcuts: whether the residual blocks of fresh variables begin as their shortcuts.
    """

    method: Method
    fields: dict
    model: nn.Module
    size: tuple[int, int]
    optimizer: optax.GradientTransformation
    schedules: dict[str, Callable]
    train_step: Callable | None
    watched: Watched
    averaged: bool = False
    shortcuts: bool = False

    def variable_shapes(self) -> dict:
        """Return the shapes of the network's variables."""
        return variable_shapes(self.model, self.size)

    def own_variables(self, key: Array) -> dict:
        """Return fresh variables from the modules' own initialisers, which compile slowly."""
        blank = jnp.zeros((1, *self.size, 3), jnp.float32)
        return dict(self.model.init(key, blank, blank, True))

    def random_variables(self, seed: int) -> dict:
        """Return the variables that a run of this seed draws, before any weights are given."""
        shapes, key = self.variable_shapes(), named_key(seed, "init")
        return self.fresh_variables(shapes, draw_normals(shapes, key), key)

    def fresh_variables(self, shapes: dict, normals: Array, key: Array) -> dict:
        """Return random variables of `shapes`, which are those of `variable_shapes`.

        Args:
            normals: of `draw_normals` for `shapes` and `key`.
        """
        fresh = variables_from_normals(shapes, normals, lambda: self.own_variables(key))
        return as_shortcuts(fresh) if self.shortcuts else fresh

    def make_state(self, variables: dict) -> TrainState:
        """Return the state before step 0, with these variables."""
        return make_state(variables, self.optimizer, self.averaged)

    def state_shapes(self) -> TrainState:
        """Return the shapes of a run's state."""
        return jax.eval_shape(self.make_state, self.variable_shapes())


def build(config: ConfigDict, identities: int, conv_impl: str | None = None) -> Built:
    """Return network, optimiser, schedules and step of a valid config.

    Args:
        identities: classes of every classifier.
        conv_impl: see `build_model`.
    """
    method, fields = METHODS[config.method.name], method_fields(config)
    model, size = build_model(config, identities, conv_impl), tuple(config.data.size)
    trained = method.trained
    if trained is None:
        return Built(method, fields, model, size, optax.identity(), {}, None, Watched())
    factors = trained.factors(fields)
    schedules = {
        group.name: scaled(_schedule(config, _peak(config, group)), factors.get(group.name))
        for group in trained.groups
        if not group.frozen
    }
    settings = OptimSettings(**{name: config.optim[name] for name in OptimSettings._fields})
    optimizer = make_optimizer(trained.groups, schedules, settings, trained.turns(fields))
    step = make_train_step(
        model,
        trained.loss(fields, model),
        optimizer,
        schedules,
        augmentation(config),
        trained.project,
        skip_non_finite=config.train.skip_non_finite > 0,
        ema_decay=config.ema.decay,
    )
    return Built(
        method,
        fields,
        model,
        size,
        optimizer,
        schedules,
        step,
        trained.watched(fields, model),
        averaged=config.ema.decay > 0,
        shortcuts=fields["model.block_start"] == "shortcut",
    )


def build_model(config: ConfigDict, identities: int, conv_impl: str | None = None) -> nn.Module:
    """Return the network of `config` with `identities` classes.

    Args:
        conv_impl: 'xla' or 'matmul', see `dmcf_jax.models.convolution`; by default what suits
            the backend that this process computes on.
    """
    if conv_impl is None:
        conv_impl = "matmul" if jax.default_backend() == "cpu" else "xla"
    return METHODS[config.method.name].network(method_fields(config), identities, conv_impl)


def method_fields(config: ConfigDict) -> dict:
    """Return the fields that a method may read, by dotted name, with nothing left open.

    Fields that the config of an older run lacks have their defaults.
    """
    given = flatten(default.get_config()) | flatten(config)
    fields = {k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}
    return fields | {
        "mtl.start_step": weighting_start(config),
        "loss.triplet_start_step": triplet_start(config),
    }


def input_form(config: ConfigDict) -> InputForm:
    """Return how pixels become the network's input, in training and wherever it is used."""
    return InputForm(config.data.input, config.data.standardise)


def augmentation(config: ConfigDict) -> Augmentation:
    """Return what happens to training images."""
    data = config.data
    fields = {name: data[name] for name in Augmentation._fields if name != "form"}
    area = tuple(data.erase_area)
    return Augmentation(**fields | {"erase_area": area, "form": input_form(config)})


def _peak(config: ConfigDict, group: Group) -> float:
    """Return a group's highest rate; that of log sigma^2, which never decays, has no factor."""
    factor = config.optim.random_start_factor if starts_at_random(config) else 1.0
    return config.optim[f"lr_{group.name}"] * (factor if group.decayed else 1.0)


def _schedule(config: ConfigDict, peak: float) -> Callable:
    steps, optim = config.train.steps, config.optim
    if optim.schedule == "cosine":
        return make_cosine_schedule(peak, steps, optim.warmup_steps)
    decay_at = tuple(optim.decay_at)
    return make_schedule(peak, steps, optim.warmup_steps, decay_at, optim.decay_factor)


def load_split(
    config: ConfigDict, splits: tuple[str, ...], wide_range: WideRange | str = ""
) -> ImageStore:
    """Return the decoded images of `splits` of the config's data set.

    Args:
        wide_range: of pictures of more than eight bits; '' for the config's choice.
    """
    data = config.data
    if isinstance(wide_range, str):
        wide_range = resolved_wide_range(config)
    with hosts.first_alone():  # it fills the cache if need be, and the others read it
        return load_images(
            data.name,
            data.data_dir,
            tuple(splits),
            tuple(data.size),
            trial=DATASETS[data.name].trial(data.trial),
            resample=data.filter,
            wide_range=wide_range,
            cache_dir=data.cache_dir or None,
            progress=hosts.is_first(),
        )


def resolved_wide_range(config: ConfigDict) -> WideRange:
    """Return the range that the config's choice means for its data set."""
    data = config.data
    if data.wide_range != "data_set":
        return wide_range_of(data.wide_range, {})
    metadata = read_metadata(data.name, data.data_dir, DATASETS[data.name].trial(data.trial))
    return wide_range_of(data.wide_range, metadata, data.data_dir)


def held_out_identities(config: ConfigDict, identity: np.ndarray) -> np.ndarray:
    """Return the training identities that `train.eval_every` keeps for evaluation, ascending.

    Which ones depends on the config's seed alone. Empty when nothing is evaluated during
    training, and for SYSU-MM01, which has validation identities of its own.
    """
    train = config.train
    has_val = "val" in DATASETS[config.data.name].splits
    if not train.eval_every or train.eval_on != "held_out" or has_val:
        return np.empty(0, identity.dtype)
    identities = np.unique(identity)
    count = max(2, round(train.held_out * len(identities)))
    order = jax.random.permutation(named_key(config.seed, "held-out"), len(identities))
    return np.sort(identities[np.asarray(order[:count])])
