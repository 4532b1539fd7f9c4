"""SGD against a literal loop, frozen groups, and groups that take turns."""

import jax
import jax.numpy as jnp
import optax
import pytest

from dmcf_jax.methods.cmgan import turns
from dmcf_jax.methods.method import Group
from dmcf_jax.methods.optimizer import OptimSettings, make_optimizer

pytestmark = pytest.mark.usefixtures("standard_promotion")
GROUPS = (Group("one", "a"), Group("two", "b", decayed=False), Group("rest", "c", frozen=True))
RATES = {"one": 0.1, "two": 0.01}


def literal_sgd(value, gradients, rate, momentum, nesterov, decay):
    velocity = 0.0
    for gradient in gradients:
        gradient = gradient + decay * value
        velocity = momentum * velocity + gradient
        value -= rate * (gradient + momentum * velocity if nesterov else velocity)
    return value


def run(gradients, settings, turns=None):
    schedules = {name: optax.constant_schedule(rate) for name, rate in RATES.items()}
    optimizer = make_optimizer(GROUPS, schedules, settings, turns or {})
    params = {"a": jnp.array(1.0), "b": jnp.array(2.0), "c": jnp.array(3.0)}
    state, update, history = optimizer.init(params), jax.jit(optimizer.update), []
    for gradient in gradients:
        slopes = dict.fromkeys(params, jnp.array(gradient))
        updates, state = update(slopes, state, params)
        params = optax.apply_updates(params, updates)
        history.append({name: float(value) for name, value in params.items()})
    return history


@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd_is_the_literal_one_and_frozen_groups_stay(nesterov):
    gradients = [0.3, -0.2, 0.5, 0.1]
    last = run(gradients, OptimSettings("sgd", nesterov=nesterov, weight_decay=0.1))[-1]
    assert last["a"] == pytest.approx(literal_sgd(1.0, gradients, 0.1, 0.9, nesterov, 0.1))
    assert last["b"] == pytest.approx(literal_sgd(2.0, gradients, 0.01, 0.9, nesterov, 0.0))
    assert last["c"] == 3.0


def test_groups_take_turns_and_their_momentum_rests():
    """cmGAN's: the discriminator in every fifth step, the rest in the others."""
    rule = turns({})
    by_group = {"one": rule["backbone"], "two": rule["discriminator"]}
    gradients = [0.1 * (i + 1) for i in range(10)]
    history = run(gradients, OptimSettings("sgd"), by_group)
    of_one = [g for i, g in enumerate(gradients) if i % 5 != 4]
    assert history[-1]["a"] == pytest.approx(literal_sgd(1.0, of_one, 0.1, 0.9, False, 0.0))
    assert [step["b"] for step in history[:4]] == [2.0] * 4
    of_two = [gradients[4], gradients[9]]
    assert history[-1]["b"] == pytest.approx(literal_sgd(2.0, of_two, 0.01, 0.9, False, 0.0))
