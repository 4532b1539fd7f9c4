"""One optimisation step of any method: (state, batch, key) -> (state, metrics), a pure function.

It is written for the global batch. Batch norm and batch-hard mining run over all rows whatever
the number of devices; sharding is decided in `dmcf_jax/runtime/devices.py`.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jaxtyping import Array, Bool

from dmcf_jax.data.augment import Augmentation, augmented_pair
from dmcf_jax.data.identity_sampler import PairBatch
from dmcf_jax.methods.method import Context, Loss
from dmcf_jax.methods.optimizer import depend_on_norm, global_norm
from dmcf_jax.methods.train_state import TrainState

_LOSS_STREAM = 1  # folded into a step's key for the random numbers of the loss and of dropout


def make_train_step(
    model: nn.Module,
    loss: Loss,
    optimizer: optax.GradientTransformation,
    schedules: dict[str, Callable],
    augmentation: Augmentation,
    project: Callable[[dict], dict] = lambda params: params,
    skip_non_finite: bool = False,
    ema_decay: float = 0.0,
) -> Callable[[TrainState, PairBatch, Array], tuple[TrainState, dict[str, Array]]]:
    """Return the step function, to be jitted once by the caller with the state donated.

    Its metrics are scalars by name: `loss`, those of the method's loss, `lr_<group>`, all before
    the update, and `gradient_norm`.

    Args:
        augmentation: of training images.
        project: bounds on the parameters after each update.
        skip_non_finite: keep weights, statistics and moments unchanged in a step whose loss or
            gradient is not finite; the metric `skipped` is 1 there, else 0.
        ema_decay: d in average <- d average + (1 - d) variables after each update; 0 for states
            without an average.
    """

    def loss_fn(params, state, batch, key):
        visible, infrared = augmented_pair(key, batch.visible, batch.infrared, augmentation)
        variables = {"params": params, "batch_stats": state.batch_stats}
        own = jax.random.fold_in(key, _LOSS_STREAM)
        outputs, updated = model.apply(
            variables, visible, infrared, True, mutable=["batch_stats"], rngs={"dropout": own}
        )
        # [2b]: rows are (visible, infrared) interleaved, so each label stands twice in a row;
        # [3b] where each visible image has two views.
        rows = 1 + len(visible) // len(infrared)
        labels = jnp.stack([batch.labels] * rows, axis=1).reshape(-1)
        with jax.named_scope("losses"):
            total, scalars = loss(outputs, labels, Context(state.step, params, own))
        return total, (updated.get("batch_stats", {}), scalars)

    def train_step(state, batch, key):
        gradient = jax.value_and_grad(loss_fn, has_aux=True)
        (value, (batch_stats, scalars)), grads = gradient(state.params, state, batch, key)
        norm = global_norm(grads)
        updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
        metrics = {
            "loss": value,
            **scalars,
            **{f"lr_{group}": rate(state.step) for group, rate in schedules.items()},
            "gradient_norm": norm,
        }
        params: Any = optax.apply_updates(state.params, depend_on_norm(updates, norm))
        after = TrainState(state.step + 1, project(params), batch_stats, opt_state)
        if ema_decay:
            average = optax.incremental_update(after.variables, state.average, 1.0 - ema_decay)
            after = dataclasses.replace(after, average=average)
        if skip_non_finite:
            sound = jnp.isfinite(value) & jnp.isfinite(norm)
            after, metrics["skipped"] = skip_if_non_finite(sound, after, state), ~sound
        return after, metrics

    return train_step


def skip_if_non_finite(sound: Bool[Array, ""], after: TrainState, before: TrainState) -> TrainState:
    """Return `after` where loss and gradient were finite (`sound`), else `before`.

    Step counts always advance, so that learning rates follow the step number; Adam's own count,
    which corrects the bias of its moments, is kept with the moments.
    """

    def choose(new, old):
        if isinstance(new, optax.ScaleByAdamState):
            return jax.tree.map(lambda a, b: jnp.where(sound, a, b), new, old)
        counts = jnp.issubdtype(new.dtype, jnp.integer)
        return new if counts else jnp.where(sound, new, old)

    return jax.tree.map(
        choose, after, before, is_leaf=lambda part: isinstance(part, optax.ScaleByAdamState)
    )
