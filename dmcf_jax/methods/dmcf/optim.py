"""Adam with a learning rate for each parameter group, the group chosen by the parameter's path."""

import re
from collections.abc import Callable, Hashable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, ArrayLike, Float

from dmcf_jax.methods.dmcf.losses import LOG_VARIANCE_RANGE
from dmcf_jax.models.tree_paths import path_name

# First match wins; a parameter without a group and a group without a parameter are errors.
GROUPS = (
    ("backbone", r"(visible|infrared|shared)/.*"),
    ("heads", r"heads_[GR]\d+/.*"),
    ("log_variance", r"log_variance"),
)


def parameter_groups(params: dict) -> dict:
    """Return a tree like `params` with the group name of every parameter.

    Raises:
        ValueError: naming the parameters that match no group and the groups that match none.
    """
    labels = jax.tree_util.tree_map_with_path(lambda path, _: _group_of(path_name(path)), params)
    found = jax.tree.leaves(labels, is_leaf=lambda label: label is None)
    lost = [path_name(path) for path, _ in jax.tree_util.tree_leaves_with_path(params)]
    lost = [name for name in lost if _group_of(name) is None]
    unused = [group for group, _ in GROUPS if group not in found]
    if lost or unused:
        raise ValueError(f"parameters without a group: {lost}; groups without parameters: {unused}")
    return labels


def _group_of(name: str) -> str | None:
    return next((group for group, pattern in GROUPS if re.fullmatch(pattern, name)), None)


def make_schedule(
    peak: float, steps: int, warmup_steps: int, decay_at: tuple[float, ...], decay_factor: float
) -> Callable:
    """Return learning rate by step: linear warm-up to `peak`, then steps down.

    Args:
        decay_at: fractions of the run's `steps` at which the rate is multiplied by
            `decay_factor`; empty for a constant rate, which is what the paper's text says.
    """
    boundaries = {round(fraction * steps): decay_factor for fraction in decay_at}
    constant = optax.piecewise_constant_schedule(peak, boundaries)
    if not warmup_steps:
        return constant
    # The ramp is (step + 1) / warmup_steps, as in the field's repositories: it never starts at
    # zero, which would waste a step, and reaches the full rate at step `warmup_steps - 1`.
    return lambda step: constant(step) * jnp.minimum((step + 1) / warmup_steps, 1.0)


def make_cosine_schedule(peak: float, steps: int, warmup_steps: int) -> Callable:
    """Return learning rate by step: linear warm-up to `peak`, then half a cosine to zero.

    The rate after step t of T is peak (1 + cos(pi (t - w) / (T - w))) / 2 with w warm-up steps
    (Loshchilov and Hutter, ICLR 2017, one cycle); it would be zero at step T.
    """
    cosine = optax.cosine_decay_schedule(peak, steps - warmup_steps)
    if not warmup_steps:
        return cosine
    ramp = lambda step: jnp.minimum((step + 1) / warmup_steps, 1.0)  # noqa: E731
    return lambda step: cosine(jnp.maximum(step - warmup_steps, 0)) * ramp(step)


def make_optimizer(
    schedules: dict[str, Callable], *, beta1: float, weight_decay: float, weighting_start_step: int
) -> optax.GradientTransformation:
    """Return Adam over the groups of `GROUPS`.

    Args:
        schedules: learning rate by step for each group.
        beta1: Adam's first momentum; beta2 is 0.999, epsilon 1e-8.
        weight_decay: L2 added to the gradient as PyTorch's Adam does; never for log_variance.
        weighting_start_step: step from which `log_variance` is trained. Before it, Adam's moments
            for it are left untouched: zeros accumulated there would make the first update about
            three times too large.
    """

    def adam_group(group: str, adam: optax.GradientTransformation) -> optax.GradientTransformation:
        return optax.chain(adam, optax.scale_by_learning_rate(schedules[group]))

    def weighted(step: ArrayLike, **_: Any) -> Array:
        return jnp.asarray(step) >= weighting_start_step

    decay = optax.add_decayed_weights(weight_decay) if weight_decay else optax.identity()
    adam = optax.scale_by_adam(b1=beta1)
    late = optax.transforms.conditionally_mask(adam, weighted)
    transforms: dict[Hashable, optax.GradientTransformation] = {
        "backbone": adam_group("backbone", optax.chain(decay, adam)),
        "heads": adam_group("heads", optax.chain(decay, adam)),
        "log_variance": adam_group("log_variance", late),
    }
    return optax.partition(transforms, parameter_groups)


def global_norm(tree: dict) -> Float[Array, ""]:
    """Return the Euclidean norm of all values of `tree` together.

    As dot products of each tensor with itself: for a sum of squares (`optax.tree.norm`) XLA on
    CPU writes the squares to memory first.
    """
    leaves = jax.tree.leaves(tree)
    return jnp.sqrt(sum(jnp.vdot(leaf, leaf, precision="highest") for leaf in leaves))


def depend_on_norm(updates: Any, norm: Float[Array, ""]) -> dict:
    """Return `updates` unchanged, but depending on the gradient's norm.

    Every use of the old weights then precedes the write of the new ones, and XLA can update in
    place; otherwise it copies all weights first (docs/performance.md). A non-finite norm turns
    the updates into NaN.
    """
    one = jnp.where(jnp.isfinite(norm), 1.0, jnp.nan)
    return jax.tree.map(lambda update: update * one, updates)


def apply_updates(params: dict, updates: dict) -> dict:
    """Return `params` after `updates`, with log_variance projected to the paper's range."""
    updated: Any = optax.apply_updates(params, updates)
    box = optax.projections.projection_box(updated["log_variance"], *LOG_VARIANCE_RANGE)
    return updated | {"log_variance": box}
