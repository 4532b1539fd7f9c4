"""One optimisation step: (state, batch, key) -> (state, metrics), a pure function.

It is written for the global batch. Batch norm and batch-hard mining run over all rows whatever
the number of devices; sharding is decided in `dmcf_jax/runtime/devices.py`.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float

from dmcf_jax.data.augment import Augmentation, augment
from dmcf_jax.data.identity_sampler import PairBatch
from dmcf_jax.methods.dmcf import losses
from dmcf_jax.methods.dmcf.levels import levels_of, loss_terms_of
from dmcf_jax.methods.dmcf.network import DMCF
from dmcf_jax.methods.dmcf.optim import apply_updates, depend_on_norm, global_norm
from dmcf_jax.methods.losses.statistics import embedding_statistics
from dmcf_jax.methods.train_state import TrainState


class StepSettings(NamedTuple):
    """The plain settings of a step, taken from the config.

    Attributes:
        augmentation: of training images.
        loss: kinds and constants of the losses.
        triplet_start_step: first step whose triplet losses count; 0 in the paper.
        weighting_start_step: first step that uses eq. 15 instead of the plain sum.
        skip_non_finite: keep weights, statistics and moments unchanged in a step whose loss or
            gradient is not finite; the metric `skipped` is 1 there, else 0.
    """

    augmentation: Augmentation
    loss: losses.LossSettings
    triplet_start_step: int
    weighting_start_step: int
    skip_non_finite: bool = False


def make_train_step(
    model: DMCF,
    optimizer: optax.GradientTransformation,
    schedules: dict[str, Callable],
    settings: StepSettings,
) -> Callable[[TrainState, PairBatch, Array], tuple[TrainState, dict[str, Array]]]:
    """Return the step function, to be jitted once by the caller with the state donated.

    Its metrics are scalars by name: `loss`, `L1`.., `level_*`, `sigma_*`, `lr_*`, all before the
    update, `gradient_norm`, and four statistics of each triplet feature, such as `spread_G1`.
    """
    terms = loss_terms_of(model.features)

    def loss_fn(params, state, batch, key):
        visible, infrared = _augmented_pair(key, batch, settings)
        variables = {"params": params, "batch_stats": state.batch_stats}
        outputs, updated = model.apply(variables, visible, infrared, True, mutable=["batch_stats"])
        # [2b]: rows are (visible, infrared) interleaved, so each label stands twice in a row.
        labels = jnp.stack([batch.labels, batch.labels], axis=1).reshape(-1)
        with jax.named_scope("losses"):
            mined = state.step >= settings.triplet_start_step
            by_term = losses.loss_terms(outputs, labels, terms, settings.loss, mined)
            by_level = losses.sum_levels(by_term, terms)
            total = losses.total_loss(
                jnp.stack(list(by_level.values())),
                params["log_variance"],
                state.step >= settings.weighting_start_step,
            )
            mined_on = {
                t.feature: outputs.embeddings[t.feature] for t in terms if t.kind == "triplet"
            }
            health = _health(mined_on, labels, settings.loss)
        metrics = by_term | {f"level_{name}": value for name, value in by_level.items()} | health
        return total, (updated["batch_stats"], metrics)

    def train_step(state, batch, key):
        gradient = jax.value_and_grad(loss_fn, has_aux=True)
        (loss, (batch_stats, metrics)), grads = gradient(state.params, state, batch, key)
        norm = global_norm(grads)
        updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
        metrics = {
            "loss": loss,
            **metrics,
            **sigmas(state.params["log_variance"], levels_of(model.features)),
            **{f"lr_{group}": rate(state.step) for group, rate in schedules.items()},
            "gradient_norm": norm,
        }
        params = apply_updates(state.params, depend_on_norm(updates, norm))
        after = TrainState(state.step + 1, params, batch_stats, opt_state)
        if settings.skip_non_finite:
            sound = jnp.isfinite(loss) & jnp.isfinite(norm)
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


def _augmented_pair(key, batch, settings):
    visible_key, infrared_key = jax.random.split(key)
    return (
        augment(visible_key, batch.visible, "visible", settings.augmentation),
        augment(infrared_key, batch.infrared, "infrared", settings.augmentation),
    )


def _health(embeddings, labels, loss):
    """Return `distance_own_G1` and so on, see `embedding_statistics`; of no gradient."""
    margin = loss.margin if loss.kind == "batch_hard" else 0.0
    return {
        f"{name}_{feature}": value
        for feature, values in embeddings.items()
        for name, value in embedding_statistics(
            jax.lax.stop_gradient(values), labels, margin
        ).items()
    }


def sigmas(log_variance: Float[Array, " l"], levels: tuple[str, ...]) -> dict[str, Array]:
    """Return `sigma_<level>` for each level: exp(log sigma^2 / 2)."""
    return {f"sigma_{level}": jnp.exp(0.5 * log_variance[i]) for i, level in enumerate(levels)}
