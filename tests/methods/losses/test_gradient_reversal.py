"""Gradient reversal: what is in front of it and what is behind."""

import jax
import jax.numpy as jnp
import numpy as np

from dmcf_jax.methods.losses.gradient_reversal import reverse_gradient

FACTOR = 0.05


def loss(generator, discriminator, turn):
    """A linear generator and a linear discriminator of two modalities."""
    rows = jnp.asarray(np.random.default_rng(0).normal(size=(8, 3)), jnp.float32)
    features = jnp.tanh(rows @ generator)
    logits = (reverse_gradient(features, FACTOR) if turn else features) @ discriminator
    return jnp.mean(jax.nn.softplus(jnp.where(jnp.arange(8) < 4, -logits, logits)))


def parameters():
    draw = np.random.default_rng(1)
    return [jnp.asarray(draw.normal(size=shape), jnp.float32) for shape in ((3, 2), (2,))]


def test_only_the_generators_gradient_is_turned_and_scaled():
    both = jax.jit(jax.value_and_grad(loss, (0, 1)), static_argnums=2)
    plain, turned = (both(*parameters(), turn) for turn in (False, True))
    assert float(turned[0]) == float(plain[0])
    np.testing.assert_allclose(turned[1][0], -FACTOR * plain[1][0], rtol=1e-5)
    np.testing.assert_allclose(turned[1][1], plain[1][1], rtol=1e-6)
    assert np.abs(plain[1][0]).min() > 1e-4


def test_features_and_their_type_stay():
    for dtype in (jnp.float32, jnp.bfloat16):
        rows = jnp.ones((2, 3), dtype)
        value, back = jax.vjp(lambda r: reverse_gradient(r, 2.0), rows)
        (gradient,) = back(value)
        assert (value.dtype, gradient.dtype) == (dtype, dtype)
        assert np.array_equal(value, rows) and np.array_equal(gradient, -2 * rows)


def trained(reversed_):
    """Train the scales of two coordinates, of which one is the modality, and a discriminator.

    Returns the scales and the discriminator's loss.
    """
    draw = np.random.default_rng(2)
    infrared = np.arange(40) % 2
    rows = draw.normal(size=(40, 2)) * [1.0, 0.1]
    rows[:, 1] += 2.0 * infrared - 1.0
    rows, signs = jnp.asarray(rows, jnp.float32), jnp.asarray(1.0 - 2.0 * infrared, jnp.float32)

    def cost(state):
        features = rows * state["scale"]
        features = reverse_gradient(features, 1.0) if reversed_ else features
        cost = jnp.mean(jax.nn.softplus(signs * (features @ state["weights"])))
        return cost + 0.1 * jnp.sum(state["weights"] ** 2), cost

    def step(_, state):
        gradient = jax.grad(cost, has_aux=True)(state)[0]
        return jax.tree.map(lambda value, slope: value - 0.3 * slope, state, gradient)

    start = {"scale": jnp.ones(2), "weights": jnp.zeros(2)}
    end = jax.jit(lambda state: jax.lax.fori_loop(0, 400, step, state))(start)
    return np.array(end["scale"]), float(cost(end)[1])


def test_training_against_it_drives_the_modality_out_of_the_features():
    scales, cost = trained(reversed_=True)
    np.testing.assert_allclose(scales, [1, 0], atol=0.01)
    assert abs(cost - np.log(2)) < 1e-3  # a discriminator at chance
    scales, cost = trained(reversed_=False)
    assert scales[1] > 1 and cost < 0.1
