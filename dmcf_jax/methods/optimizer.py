"""Adam or SGD with a learning rate for each parameter group, chosen by the parameter's path."""

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from dmcf_jax.methods.method import Group
from dmcf_jax.models.tree_paths import path_name

NAMES = ("adam", "sgd")
# Config fields of every optimiser; each group has its rate, `optim.lr_<name>`, beside them.
READS = tuple(
    f"optim.{name}"
    for name in (
        "name",
        "random_start_factor",
        "beta1",
        "momentum",
        "nesterov",
        "weight_decay",
        "warmup_steps",
        "schedule",
        "decay_at",
        "decay_factor",
    )
)


class OptimSettings(NamedTuple):
    """What all groups have in common.

    Attributes:
        name: of `NAMES`.
        beta1: Adam's first momentum; beta2 is 0.999, epsilon 1e-8.
        momentum, nesterov: of SGD.
        weight_decay: L2 added to the gradient, as PyTorch's Adam and SGD do.
    """

    name: str = "adam"
    beta1: float = 0.9
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 0.0


PAPER = OptimSettings()


def parameter_groups(params: dict, groups: Sequence[Group]) -> dict:
    """Return a tree like `params` with the group name of every parameter.

    Raises:
        ValueError: naming the parameters that match no group and the groups that match none.
    """

    def group_of(path, _):
        name = path_name(path)
        return next((g.name for g in groups if re.fullmatch(g.pattern, name)), None)

    labels = jax.tree_util.tree_map_with_path(group_of, params)
    paths = [path_name(path) for path, _ in jax.tree_util.tree_leaves_with_path(params)]
    found = jax.tree.leaves(labels, is_leaf=lambda label: label is None)
    lost = [name for name, label in zip(paths, found, strict=True) if label is None]
    unused = [group.name for group in groups if group.name not in found]
    if lost or unused:
        raise ValueError(f"parameters without a group: {lost}; groups without parameters: {unused}")
    return labels


def make_optimizer(
    groups: Sequence[Group],
    schedules: dict[str, Callable],
    settings: OptimSettings = PAPER,
    turns: Mapping[str, Callable] = {},
) -> optax.GradientTransformation:
    """Return the optimiser of the parameters in `groups`; a first match wins.

    Args:
        schedules: learning rate by step for each group that is not frozen.
        turns: by group, step -> whether it is updated. In other steps its moments are left
            untouched: zeros accumulated there would make Adam's next update too large.
    """
    transforms: dict[Hashable, optax.GradientTransformation] = {
        group.name: optax.set_to_zero()
        if group.frozen
        else optax.chain(
            _in_turn(_moments(group, settings), turns.get(group.name)),
            optax.scale_by_learning_rate(schedules[group.name]),
        )
        for group in groups
    }
    return optax.partition(transforms, partial(parameter_groups, groups=groups))


def _moments(group: Group, settings: OptimSettings) -> optax.GradientTransformation:
    if settings.name == "adam":
        moments = optax.scale_by_adam(b1=settings.beta1)
    else:
        moments = optax.trace(settings.momentum, settings.nesterov)
    if not group.decayed:
        return moments
    decay = settings.weight_decay
    return optax.chain(optax.add_decayed_weights(decay) if decay else optax.identity(), moments)


def _in_turn(
    moments: optax.GradientTransformation, is_updated: Callable | None
) -> optax.GradientTransformation:
    if is_updated is None:
        return moments
    return optax.transforms.conditionally_mask(
        moments, lambda step, **_: is_updated(jnp.asarray(step))
    )


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
