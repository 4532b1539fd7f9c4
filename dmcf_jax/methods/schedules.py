"""Learning rates by step."""

from collections.abc import Callable

import jax.numpy as jnp
import optax


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


def scaled(schedule: Callable, factor: Callable | None) -> Callable:
    """Return the schedule times `factor`, also by step; None for 1."""
    return schedule if factor is None else lambda step: schedule(step) * factor(step)


def make_cosine_schedule(peak: float, steps: int, warmup_steps: int) -> Callable:
    """Return learning rate by step: linear warm-up to `peak`, then half a cosine to zero.

    The rate after step t of T is peak (1 + cos(pi (t - w) / (T - w))) / 2 with w warm-up steps
    (Loshchilov and Hutter, ICLR 2017, one cycle); it would be zero at step T. A run that is not
    longer than its warm-up ends in it.
    """
    cosine = optax.cosine_decay_schedule(peak, max(steps - warmup_steps, 1))
    if not warmup_steps:
        return cosine
    ramp = lambda step: jnp.minimum((step + 1) / warmup_steps, 1.0)  # noqa: E731
    return lambda step: cosine(jnp.maximum(step - warmup_steps, 0)) * ramp(step)
