"""Two views of visible images and changed channels: literal loops, and shares over 10,000 draws."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dmcf_jax.data.augment import Augmentation, augmented_pair
from dmcf_jax.data.colour import adapted_grey, one_channel
from dmcf_jax.methods.network.interleave import interleave

DRAWS = 10_000
pair = jax.jit(augmented_pair, static_argnums=3)


def inputs(count, size=(4, 3)):
    """Return images as they are after normalising: any number, channels apart."""
    return np.random.default_rng(0).normal(size=(count, *size, 3)).astype(np.float32)


def uniform(count):
    return np.random.default_rng(1).uniform(0, 1, count).astype(np.float32)


def pictures(count, seed, size=(12, 8)):
    values = np.random.default_rng(seed).integers(1, 256, (count, *size, 3), np.uint8)
    return jnp.asarray(values)


def test_one_channel_is_a_loop():
    images, draw = inputs(30), uniform(30)
    expected = [x[..., [int(3 * d)]] * np.ones(3) for x, d in zip(images, draw, strict=True)]
    np.testing.assert_array_equal(
        jax.jit(one_channel)(images, draw), np.array(expected, np.float32)
    )


def test_adapted_grey_is_a_loop():
    images, draw = inputs(40), uniform(40)
    expected = images.copy()
    for image, share in zip(expected, draw, strict=True):
        quarter = int(4 * share)
        if quarter < 3:
            image[:] = image[..., [quarter]]
        elif share < 0.875:
            image[:] = (image @ np.array([0.299, 0.587, 0.114]))[..., None]
    np.testing.assert_allclose(jax.jit(adapted_grey)(images, draw), expected, atol=1e-6)


def test_shares_over_many_draws():
    # Red 1, green 2, blue 4; a standard error of a share is at most 0.005.
    images = jnp.broadcast_to(jnp.array([1.0, 2.0, 4.0]), (DRAWS, 1, 1, 3))
    draw = jax.random.uniform(jax.random.key(0), (DRAWS,))
    values = np.asarray(one_channel(images, draw))[:, 0, 0]
    assert (values == values[:, :1]).all()
    for channel in (1, 2, 4):
        assert (values[:, 0] == channel).mean() == pytest.approx(1 / 3, abs=0.02)
    values = np.asarray(adapted_grey(images, draw))[:, 0, 0]
    alike = (values == values[:, :1]).all(axis=1)
    assert (~alike).mean() == pytest.approx(1 / 8, abs=0.015)
    for channel in (1, 2, 4):
        assert (alike & (values[:, 0] == channel)).mean() == pytest.approx(1 / 4, abs=0.02)
    grey = 0.299 + 2 * 0.587 + 4 * 0.114
    assert np.isclose(values[:, 0], grey).mean() == pytest.approx(1 / 8, abs=0.015)


def test_the_second_view_is_of_the_same_image_with_a_crop_and_channels_of_its_own():
    visible, infrared = pictures(60, 1), pictures(60, 2)
    settings = Augmentation(pad=1, flip=0.5)
    first, other = pair(jax.random.key(0), visible, infrared, settings)
    both, changed = pair(jax.random.key(0), visible, infrared, settings._replace(views="channels"))
    assert both.shape == (120, 12, 8, 3) and changed.shape == other.shape
    np.testing.assert_allclose(both[::2], first, atol=1e-5)  # as without a second view
    second = np.asarray(both[1::2])
    assert (second == second[..., :1]).all()
    whole = np.asarray(pair(jax.random.key(0), visible, infrared, Augmentation())[0])
    crops = 0
    for view, image in zip(second[..., 0], whole, strict=True):
        inner = view[1:-1, 1:-1]
        sources = [image[y : y + 10, x : x + 6] for y in range(3) for x in range(3)]
        found = [
            c
            for s in sources
            for c in range(3)
            for w in (s, s[:, ::-1])
            if np.allclose(w[..., c], inner, atol=1e-4)
        ]
        assert len(found) == 1
        crops += np.allclose(view, np.asarray(first[crops])[..., found[0]], atol=1e-4)
    assert crops < 30  # a crop of its own, not the first view's


def test_what_is_erased_stays_the_mean_in_every_channel():
    visible, infrared = pictures(40, 3), pictures(40, 4)
    settings = Augmentation(erase=1.0, erase_area=(0.2, 0.4), views="channels")
    both, changed = pair(jax.random.key(0), visible, infrared, settings)
    for rows in (both[1::2], changed):
        zero = np.abs(np.asarray(rows)).max(axis=-1) < 1e-5
        assert (zero.mean(axis=(1, 2)) > 0.15).all()


def test_rows_of_a_pair_stand_side_by_side():
    visible, infrared = jnp.arange(8.0).reshape(4, 2), 10 * jnp.arange(4.0).reshape(2, 2)
    expected = [[0, 1], [2, 3], [0, 10], [4, 5], [6, 7], [20, 30]]
    np.testing.assert_array_equal(interleave(visible, infrared), expected)
