"""One optimisation step: (state, batch, key) -> (state, metrics), a pure function.

It is written for the global batch. Batch norm and batch-hard mining run over all rows whatever
the number of devices; sharding is decided in `dmcf_jax/runtime/devices.py`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import struct
from jaxtyping import Array, Bool, Float

from dmcf_jax.data.augment import augment
from dmcf_jax.data.identity_sampler import PairBatch
from dmcf_jax.methods.dmcf import losses
from dmcf_jax.methods.dmcf.levels import levels_of, loss_terms_of
from dmcf_jax.methods.dmcf.network import DMCF
from dmcf_jax.methods.dmcf.optim import after_all_gradients, apply_updates, length


@struct.dataclass
class TrainState:
    """All that a run is between two steps; no key and nothing callable.

    Leaves are arrays, or shapes and shardings where a state is only described.
    """

    step: Any
    params: dict
    batch_stats: dict
    opt_state: optax.OptState


class Recipe(NamedTuple):
    """The plain settings of a step, taken from the config.

    Attributes:
        pad, flip: see `augment`.
        margin: of the triplet losses.
        mining_starts_at: first step whose triplet losses count; 0 in the paper.
        weighting_starts_at: first step that uses eq. 15 instead of the plain sum.
        skip_non_finite: leave weights, statistics and moments as they are in a step whose loss or
            gradient is not finite; the metric `skipped` is 1 there, else 0.
    """

    pad: int
    flip: float
    margin: float
    mining_starts_at: int
    weighting_starts_at: int
    skip_non_finite: bool = False


def make_state(variables: dict, optimizer: optax.GradientTransformation) -> TrainState:
    """Return the state before step 0."""
    params = variables["params"]
    step = jnp.zeros((), jnp.int32)
    return TrainState(step, params, variables["batch_stats"], optimizer.init(params))


def make_train_step(
    model: DMCF, optimizer: optax.GradientTransformation, schedules: dict[str, Callable], recipe
) -> Callable[[TrainState, PairBatch, Array], tuple[TrainState, dict[str, Array]]]:
    """Return the step function, to be jitted once by the caller with the state donated.

    Its metrics are scalars by name: `loss`, `L1`.., `level_*`, `sigma_*`, `lr_*`, all as they
    were when the step began, and `gradient_norm`.
    """
    terms = loss_terms_of(model.features)

    def loss_fn(params, state, batch, key):
        visible, infrared = _augmented_pair(key, batch, recipe)
        variables = {"params": params, "batch_stats": state.batch_stats}
        outputs, updated = model.apply(variables, visible, infrared, True, mutable=["batch_stats"])
        labels = jnp.stack([batch.labels, batch.labels], axis=1).reshape(-1)  # as rows are
        with jax.named_scope("losses"):
            mined = state.step >= recipe.mining_starts_at
            by_term = losses.loss_terms(outputs, labels, terms, recipe.margin, mined)
            by_level = losses.sum_levels(by_term, terms)
            total = losses.total_loss(
                jnp.stack(list(by_level.values())),
                params["log_variance"],
                state.step >= recipe.weighting_starts_at,
            )
        metrics = by_term | {f"level_{name}": value for name, value in by_level.items()}
        return total, (updated["batch_stats"], metrics)

    def train_step(state, batch, key):
        gradient = jax.value_and_grad(loss_fn, has_aux=True)
        (loss, (batch_stats, metrics)), grads = gradient(state.params, state, batch, key)
        norm = length(grads)
        updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
        metrics = {
            "loss": loss,
            **metrics,
            **sigmas(state.params["log_variance"], levels_of(model.features)),
            **{f"lr_{group}": rate(state.step) for group, rate in schedules.items()},
            "gradient_norm": norm,
        }
        params = apply_updates(state.params, after_all_gradients(updates, norm))
        after = TrainState(state.step + 1, params, batch_stats, opt_state)
        if recipe.skip_non_finite:
            sound = jnp.isfinite(loss) & jnp.isfinite(norm)
            after, metrics["skipped"] = kept_unless(sound, after, state), ~sound
        return after, metrics

    return train_step


def kept_unless(sound: Bool[Array, ""], after: TrainState, before: TrainState) -> TrainState:
    """Return `after` where the step was `sound`, else what it began with.

    Counts of steps go on either way, so that rates keep to the step number; Adam's own count,
    which corrects its moments, stays with them.
    """

    def choose(new, old):
        if isinstance(new, optax.ScaleByAdamState):
            return jax.tree.map(lambda a, b: jnp.where(sound, a, b), new, old)
        counts = jnp.issubdtype(new.dtype, jnp.integer)
        return new if counts else jnp.where(sound, new, old)

    return jax.tree.map(
        choose, after, before, is_leaf=lambda part: isinstance(part, optax.ScaleByAdamState)
    )


def _augmented_pair(key, batch, recipe):
    visible_key, infrared_key = jax.random.split(key)
    return (
        augment(visible_key, batch.visible, recipe.pad, recipe.flip),
        augment(infrared_key, batch.infrared, recipe.pad, recipe.flip),
    )


def sigmas(log_variance: Float[Array, " l"], levels: tuple[str, ...]) -> dict[str, Array]:
    """Return `sigma_<level>` for each level: exp(log sigma^2 / 2)."""
    return {f"sigma_{level}": jnp.exp(0.5 * log_variance[i]) for i, level in enumerate(levels)}
