"""Changes of colour against literal NumPy, and their frequencies over 10,000 draws."""

from statistics import NormalDist

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.tiers import MODES

from dmcf_jax.data import colour
from dmcf_jax.data.prepare_input import luma

DRAWS = 10_000


def pictures(count, size=(4, 3)):
    values = np.random.default_rng(0).integers(0, 256, (count, *size, 3))
    return values.astype(np.float32)


def uniform(*shape):
    return np.random.default_rng(1).uniform(0, 1, shape).astype(np.float32)


def quantiles(draw):
    return np.array([NormalDist().inv_cdf(float(share)) for share in draw])


def applied(mode, change, images, draw, amount):
    function = mode(lambda i, d: change(i, d, amount))
    return np.asarray(function(jnp.asarray(images), jnp.asarray(draw)))


def compiled(change, images, draw, amount):
    return applied(jax.jit, change, images, draw, amount)


@MODES
def test_channel_exchange_is_a_loop(mode):
    images, draw = pictures(30), uniform(30, 2)
    expected = images.copy()
    for image, (chosen, channel) in zip(expected, draw, strict=True):
        if chosen < 0.5:
            image[:] = image[..., [int(3 * channel)]]
    np.testing.assert_array_equal(
        applied(mode, colour.exchange_channels, images, draw, 0.5), expected
    )


@MODES
def test_random_grey_is_a_loop(mode):
    images, draw = pictures(30), uniform(30)
    expected = images.copy()
    for image, chosen in zip(expected, draw, strict=True):
        if chosen < 0.5:
            image[:] = (image @ np.array([0.299, 0.587, 0.114]))[..., None]
    found = applied(mode, colour.random_grey, images, draw, 0.5)
    np.testing.assert_allclose(found, expected, atol=1e-3)


@MODES
def test_gamma_is_a_loop(mode):
    images, draw = pictures(30), uniform(30)
    powers = np.exp(0.4 * quantiles(draw))
    expected = [255 * (x / 255.0) ** p for x, p in zip(images, powers, strict=True)]
    found = applied(mode, colour.change_gamma, images, draw, 0.4)
    np.testing.assert_allclose(found, expected, atol=0.01)


def test_gamma_of_grey_images_of_the_training_size_is_a_loop():
    # XLA 0.10.2 raised lumas to the powers of other images, in images of some thousand pixels.
    images, draw = pictures(24, (96, 48)), uniform(24)
    found = np.asarray(jax.jit(lambda i, d: colour.change_gamma(luma(i), d, 0.5))(images, draw))
    for image, power, result in zip(images, np.exp(0.5 * quantiles(draw)), found, strict=True):
        grey = (image @ np.array([0.299, 0.587, 0.114]))[..., None]
        expected = np.broadcast_to(255 * (grey / 255) ** power, image.shape)
        np.testing.assert_allclose(result, expected, atol=1e-2)


@MODES
def test_contrast_is_a_loop(mode):
    images, draw = pictures(30), uniform(30)
    factors = np.exp(0.4 * quantiles(draw))
    means = images.mean(axis=(1, 2, 3))
    expected = [
        np.clip(m + f * (x - m), 0, 255) for x, f, m in zip(images, factors, means, strict=True)
    ]
    found = applied(mode, colour.change_contrast, images, draw, 0.4)
    np.testing.assert_allclose(found, expected, atol=0.01)


@MODES
def test_invert_is_a_loop(mode):
    images, draw = pictures(30), uniform(30)
    expected = [255 - x if chosen < 0.5 else x for x, chosen in zip(images, draw, strict=True)]
    np.testing.assert_array_equal(applied(mode, colour.invert, images, draw, 0.5), expected)


def test_the_ends_of_the_draw_are_finite():
    images = np.array([0.0, 128.0, 255.0], np.float32).reshape(1, 1, 3, 1) * np.ones((2, 1, 1, 3))
    ends = jnp.array([0.0, 1.0], jnp.float32)
    for change in (colour.change_gamma, colour.change_contrast):
        found = compiled(change, images.astype(np.float32), ends, 2.0)
        assert np.isfinite(found).all() and found.min() >= 0 and found.max() <= 255


def test_frequencies_over_many_draws():
    # Red 10, green 20, blue 40; a standard error of a share is at most 0.005.
    images = jnp.broadcast_to(jnp.array([10.0, 20.0, 40.0]), (DRAWS, 1, 1, 3))
    draw = jax.random.uniform(jax.random.key(0), (DRAWS, 2))
    exchanged = compiled(colour.exchange_channels, images, draw, 0.6)[:, 0, 0]
    alike = (exchanged == exchanged[:, :1]).all(axis=1)
    assert alike.mean() == pytest.approx(0.6, abs=0.02)
    for value in (10, 20, 40):
        assert (exchanged[alike, 0] == value).mean() == pytest.approx(1 / 3, abs=0.025)
    grey = compiled(colour.random_grey, images, draw[:, 0], 0.3)[:, 0, 0]
    assert (grey[:, 0] == grey[:, 1]).mean() == pytest.approx(0.3, abs=0.02)
    inverted = compiled(colour.invert, images, draw[:, 1], 0.25)[:, 0, 0, 0]
    assert (inverted == 245).mean() == pytest.approx(0.25, abs=0.02)
    # A grey of 1/e becomes exp(-gamma): the power can be read off.
    level = jnp.full((DRAWS, 1, 1, 3), 255.0 / np.e, jnp.float32)
    powers = -np.log(compiled(colour.change_gamma, level, draw[:, 0], 0.4)[:, 0, 0, 0] / 255.0)
    assert np.log(powers).mean() == pytest.approx(0.0, abs=0.015)
    assert np.log(powers).std() == pytest.approx(0.4, abs=0.015)
