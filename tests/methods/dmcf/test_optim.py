"""Adam by groups against a literal scalar Adam; groups, schedules and the late log_variance."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from support.tiers import MODES

from dmcf_jax.methods.dmcf.losses import in_papers_range
from dmcf_jax.methods.dmcf.method import GROUPS
from dmcf_jax.methods.optimizer import (
    OptimSettings,
    depend_on_norm,
    global_norm,
    make_optimizer,
    parameter_groups,
)
from dmcf_jax.methods.schedules import make_cosine_schedule, make_schedule

pytestmark = pytest.mark.usefixtures("standard_promotion")

PARAMS = {
    "visible": {"conv1": {"kernel": jnp.array([1.0])}},
    "infrared": {"conv1": {"kernel": jnp.array([2.0])}},
    "heads_G1": {"classifier": {"kernel": jnp.array([3.0])}},
    "log_variance": jnp.array([0.5]),
}
RATES = {"backbone": 0.001, "heads": 0.01, "log_variance": 0.02}


def literal_adam(value, gradients, rate, decay=0.0):
    m = v = 0.0
    for t, gradient in enumerate(gradients, start=1):
        gradient = gradient + decay * value
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        value -= rate * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return value


def run(gradients, weight_decay=0.0, weighting_start_step=0, rate=0.02):
    rates = RATES | {"log_variance": rate}
    schedules = {group: (lambda step, rate=rate: rate) for group, rate in rates.items()}
    settings = OptimSettings(weight_decay=weight_decay)
    turns = {"log_variance": lambda step: step >= weighting_start_step}
    optimizer = make_optimizer(GROUPS, schedules, settings, turns)
    params, state = PARAMS, optimizer.init(PARAMS)
    update = jax.jit(optimizer.update)
    for gradient in gradients:
        grads = {
            "visible": {"conv1": {"kernel": jnp.array([gradient])}},
            "infrared": {"conv1": {"kernel": jnp.array([gradient])}},
            "heads_G1": {"classifier": {"kernel": jnp.array([gradient])}},
            "log_variance": jnp.array([gradient]),
        }
        updates, state = update(grads, state, params)
        params = in_papers_range(optax.apply_updates(params, updates))
    return params


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_each_group_is_adam_at_its_own_rate(decay):
    gradients = [0.3, -0.2, 0.5, 0.1]
    params = run(gradients, weight_decay=decay)
    backbone = literal_adam(1.0, gradients, 0.001, decay)
    assert float(params["visible"]["conv1"]["kernel"][0]) == pytest.approx(backbone, rel=1e-6)
    heads = literal_adam(3.0, gradients, 0.01, decay)
    assert float(params["heads_G1"]["classifier"]["kernel"][0]) == pytest.approx(heads, rel=1e-6)
    own = literal_adam(0.5, gradients, 0.02)
    assert float(params["log_variance"][0]) == pytest.approx(own, rel=1e-6)


def test_log_variance_rests_until_the_weighting_starts_and_then_begins_afresh():
    params = run([0.3, 0.3, 0.3, 0.4, -0.1], weighting_start_step=3)
    expected = literal_adam(0.5, [0.4, -0.1], 0.02)
    assert float(params["log_variance"][0]) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("gradient", "bound"), [(1.0, -2.0), (-1.0, 5.0)])
def test_log_variance_stays_in_the_papers_range(gradient, bound):
    params = run([gradient] * 60, rate=0.2)
    assert float(params["log_variance"][0]) == bound


def test_a_parameter_without_a_group_and_an_unused_group_are_errors():
    with pytest.raises(ValueError, match=r"without a group: \['neck/scale'\]"):
        parameter_groups(PARAMS | {"neck": {"scale": jnp.ones(1)}}, GROUPS)
    with pytest.raises(ValueError, match=r"groups without parameters: \['heads'\]"):
        rest = {k: v for k, v in PARAMS.items() if not k.startswith("heads")}
        parameter_groups(rest, GROUPS)


def test_schedule_warms_up_and_steps_down():
    rate = make_schedule(1.0, 100, warmup_steps=4, decay_at=(0.4, 0.8), decay_factor=0.1)
    steps = [0, 1, 3, 4, 39, 40, 79, 80, 99]
    expected = [0.25, 0.5, 1, 1, 1, 0.1, 0.1, 0.01, 0.01]
    np.testing.assert_allclose([rate(jnp.int32(s)) for s in steps], expected, rtol=1e-6)


@MODES
def test_length_is_that_of_all_values_in_one_row(mode):
    generator = np.random.default_rng(0)
    tree = {str(n): generator.normal(size=(n, 3, 2)).astype(np.float32) for n in range(1, 5)}
    expected = np.linalg.norm(np.concatenate([leaf.ravel() for leaf in tree.values()]))
    np.testing.assert_allclose(mode(global_norm)(tree), expected, rtol=1e-6)


@pytest.mark.parametrize("norm", [0.0, 7.5, np.inf, np.nan])
def test_updates_are_the_same_bits_after_a_finite_gradient_and_nan_after_another(norm):
    updates = {"a": jnp.array([0.1, -3e-30]), "b": jnp.array(2.0)}
    found = jax.jit(depend_on_norm)(updates, jnp.float32(norm))
    for name, update in updates.items():
        expected = update if np.isfinite(norm) else np.full_like(update, np.nan)
        np.testing.assert_array_equal(found[name], expected)


@pytest.mark.parametrize("warmup", [0, 10])
def test_the_cosine_falls_to_zero_after_the_warm_up(warmup):
    rate = jax.jit(make_cosine_schedule(0.02, 110, warmup))
    for step in range(110):
        done = max(step - warmup, 0) / (110 - warmup)
        expected = 0.02 * (1 + np.cos(np.pi * done)) / 2
        if step < warmup:
            expected *= (step + 1) / warmup
        assert float(rate(step)) == pytest.approx(expected, abs=1e-7)
    assert 0 < float(rate(109)) < 1e-5


def test_a_run_that_is_shorter_than_its_warm_up_ends_in_it():
    rate = make_cosine_schedule(0.02, 5, warmup_steps=20)
    assert [float(rate(step)) for step in range(5)] == pytest.approx(
        [0.001, 0.002, 0.003, 0.004, 0.005]
    )
