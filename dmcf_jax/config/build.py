"""The one place where config fields become plain arguments: model, optimiser, training data."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import optax
from ml_collections import ConfigDict

from dmcf_jax.config.validate import weighting_start
from dmcf_jax.data.image_store import ImageStore, load_images
from dmcf_jax.methods.dmcf.network import DMCF
from dmcf_jax.methods.dmcf.optim import GROUPS, make_optimizer, make_schedule
from dmcf_jax.methods.dmcf.train_step import Recipe, make_train_step
from dmcf_jax.runtime import hosts
from dmcf_jax.runtime.random_keys import named_key


def build_model(config: ConfigDict, identities: int, form: str | None = None) -> DMCF:
    """Return the network of `config` with `identities` classes.

    Args:
        form: of the convolutions, see `dmcf_jax.models.convolution`; by default what suits the
            backend that this process computes on.
    """
    if form is None:
        form = "product" if jax.default_backend() == "cpu" else "library"
    fields = {name: config.model[name] for name in config.model if name != "pretrained"}
    return DMCF(identities=identities, dtype=jnp.dtype(config.dtype), form=form, **fields)


def build_schedules(config: ConfigDict) -> dict[str, Callable]:
    """Return the learning rate by step of each parameter group."""
    optim = config.optim
    return {
        group: make_schedule(
            optim[f"lr_{group}"],
            config.train.steps,
            optim.warmup_steps,
            tuple(optim.decay_at),
            optim.decay_factor,
        )
        for group, _ in GROUPS
    }


def build_optimizer(config: ConfigDict) -> optax.GradientTransformation:
    """Return Adam over backbone, heads and log_variance."""
    return make_optimizer(
        build_schedules(config),
        beta1=config.optim.beta1,
        weight_decay=config.optim.weight_decay,
        weighting_starts_at=weighting_start(config),
    )


def build_recipe(config: ConfigDict) -> Recipe:
    """Return the plain settings of a training step."""
    return Recipe(
        pad=config.data.pad,
        flip=config.data.flip,
        margin=config.loss.margin,
        mining_starts_at=config.loss.triplet_start_step,
        weighting_starts_at=weighting_start(config),
        skip_non_finite=config.train.skip_non_finite > 0,
    )


def build_train_step(config: ConfigDict, model: DMCF) -> Callable:
    """Return the step of a run, `make_train_step` with the config's optimiser and settings."""
    return make_train_step(
        model, build_optimizer(config), build_schedules(config), build_recipe(config)
    )


def load_split(config: ConfigDict, splits: tuple[str, ...]) -> ImageStore:
    """Return the decoded images of `splits` of the config's data set."""
    data = config.data
    with hosts.first_alone():  # it fills the cache, if need be
        return load_images(
            data.name,
            data.data_dir,
            tuple(splits),
            tuple(data.size),
            trial=data.trial if data.name == "regdb" else None,
            filter=data.filter,
            cache_dir=data.cache_dir or None,
            progress=hosts.is_first(),
        )


def held_out_identities(config: ConfigDict, identity: np.ndarray) -> np.ndarray:
    """Return the training identities that `train.eval_every` keeps for evaluation, ascending.

    Which ones depends on the config's seed alone. Empty when nothing is evaluated during
    training, and for SYSU-MM01, which has validation identities of its own.
    """
    train = config.train
    if not train.eval_every or train.eval_on != "held_out" or config.data.name == "sysu_mm01":
        return np.empty(0, identity.dtype)
    identities = np.unique(identity)
    count = max(2, round(train.held_out * len(identities)))
    order = jax.random.permutation(named_key(config.seed, "held-out"), len(identities))
    return np.sort(identities[np.asarray(order[:count])])
