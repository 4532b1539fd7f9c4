"""Random erasing against a literal loop, and its statistics over 10,000 draws."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.tiers import MODES

from dmcf_jax.data.erase import ATTEMPTS, COLUMNS, erase, rectangle

MEAN = 255 * np.array([0.485, 0.456, 0.406])
AREA = (0.02, 0.4)


erased = jax.jit(erase, static_argnums=(2, 3, 4))


def draws(count):
    return np.array(jax.random.uniform(jax.random.key(5), (count, COLUMNS)))


def literal_rectangle(numbers, height, width, area):
    for share, aspect, top, left in numbers.astype(np.float64).reshape(ATTEMPTS, 4):
        share = area[0] + (area[1] - area[0]) * share
        aspect = 0.3 + (1 / 0.3 - 0.3) * aspect
        high = round(np.sqrt(share * height * width * aspect))
        wide = round(np.sqrt(share * height * width / aspect))
        if high < height and wide < width:
            return int(top * (height - high + 1)), int(left * (width - wide + 1)), high, wide
    return 0, 0, 0, 0


@MODES
@pytest.mark.parametrize("fill", ["mean", "grey"])
def test_erasing_is_a_loop(mode, fill):
    images = np.random.default_rng(0).uniform(0, 255, (40, 24, 12, 3)).astype(np.float32)
    draw = draws(40)
    expected = images.copy()
    for image, numbers in zip(expected, draw, strict=True):
        if numbers[0] < 0.5:
            top, left, high, wide = literal_rectangle(numbers[2:], 24, 12, AREA)
            colour = MEAN if fill == "mean" else 255 * numbers[1]
            image[top : top + high, left : left + wide] = colour
    function = mode(lambda i, d: erase(i, d, 0.5, AREA, fill))
    found = function(jnp.asarray(images), jnp.asarray(draw))
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_rectangles_over_many_draws():
    height, width, count = 96, 48, 10_000
    draw = jnp.asarray(draws(count)[:, 2:].reshape(count, ATTEMPTS, 4))
    boxes = np.asarray(jax.jit(jax.vmap(lambda d: rectangle(d, height, width, (0.02, 0.1))))(draw))
    top, left, high, wide = boxes.T
    assert (high > 0).all()
    # Rectangles of at most a tenth of the image nearly always fit at once: nothing is redrawn,
    # so that shares of the area are uniform, but for rounding to pixels.
    shares = high * wide / (height * width)
    assert shares.mean() == pytest.approx(0.06, abs=0.001)
    assert shares.std() == pytest.approx(0.08 / np.sqrt(12), rel=0.03)
    # E[h / w] of a uniform aspect; rounding moves single ratios, not their mean.
    assert (high / wide).mean() == pytest.approx((0.3 + 1 / 0.3) / 2, rel=0.02)
    # Each place that fits is equally likely: the middle of the slack on average.
    assert (top / (height - high)).mean() == pytest.approx(0.5, abs=0.015)
    assert (left / (width - wide)).mean() == pytest.approx(0.5, abs=0.015)
    assert (top + high).max() == height and (left + wide).max() == width


def test_the_share_of_erased_images_is_the_probability():
    count = 10_000
    images = jnp.full((count, 16, 8, 3), 7.0, jnp.float32)
    found = np.asarray(erased(images, jnp.asarray(draws(count)), 0.3, AREA, "mean"))
    changed = (found != 7.0).any(axis=(1, 2, 3))
    assert changed.mean() == pytest.approx(0.3, abs=0.02)


def test_an_image_for_which_no_rectangle_fits_is_left_alone():
    images = jnp.ones((2, 4, 40, 3), jnp.float32)
    draw = np.full((2, COLUMNS), 0.999, np.float32)
    draw[:, 0] = 0.0
    np.testing.assert_array_equal(erased(images, jnp.asarray(draw), 1.0, AREA, "mean"), images)
