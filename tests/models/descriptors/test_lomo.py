"""LOMO against a loop over scales, windows and pixels; SILTP and Retinex by hand and by loops."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dmcf_jax.errors import UserError
from dmcf_jax.methods.matchers import descriptor_length
from dmcf_jax.models.descriptors.lomo import hsv_bins, lomo
from dmcf_jax.models.descriptors.retinex import retinex_gain
from dmcf_jax.models.descriptors.siltp import siltp


def image(height=40, width=20, seed=0):
    """Patches of colour with noise on them, uint8."""
    draw = np.random.default_rng(seed)
    patches = np.kron(draw.integers(0, 256, (height // 5, width // 5, 3)), np.ones((5, 5, 1)))
    noisy = patches + draw.integers(-30, 31, (height, width, 3))
    return noisy.clip(0, 255).astype(np.uint8)


def literal_hsv(pixel):
    """Hue, saturation and value in 0..1 from their definition."""
    red, green, blue = (int(level) for level in pixel)
    most, least = max(red, green, blue), min(red, green, blue)
    hue = 0.0
    if most > least:
        if most == red:
            hue = ((green - blue) / (most - least)) % 6
        elif most == green:
            hue = (blue - red) / (most - least) + 2
        else:
            hue = (red - green) / (most - least) + 4
    return hue / 6, (most - least) / most if most else 0.0, most / 255


def literal_gain(picture):
    """Retinex' factor, a pixel at a time, in float64."""
    height, width = picture.shape[:2]
    intensity = picture.astype(float).mean(2)
    relative = np.zeros((height, width))
    for y in range(height):
        for x in range(width):
            for sigma in (5, 20):
                rows = np.exp(-((np.arange(height) - y) ** 2) / (2 * sigma**2))
                columns = np.exp(-((np.arange(width) - x) ** 2) / (2 * sigma**2))
                weights = np.outer(rows, columns)
                around = (weights * intensity).sum() / weights.sum()
                relative[y, x] += (math.log(intensity[y, x] + 1) - math.log(around + 1)) / 2
    low, high = np.quantile(relative, [0.1, 0.9])
    target = 255 * np.clip((relative - low) / (high - low), 0, 1)
    most = picture.max(2).astype(float)
    gain = target / np.maximum(intensity, 1e-6)
    return np.minimum(gain, 255 / np.maximum(most, 1e-6))


def literal_siltp(grey, y, x, radius):
    digits = []
    for down, right in ((0, 1), (-1, 0), (0, -1), (1, 0)):
        row = min(max(y + radius * down, 0), len(grey) - 1)
        column = min(max(x + radius * right, 0), len(grey[0]) - 1)
        share = grey[row][column] / grey[y][x] if grey[y][x] else math.inf
        digits.append(1 if share < 0.7 else 2 if share > 1.3 and grey[row][column] else 0)
    return digits[0] + 3 * digits[1] + 9 * digits[2] + 27 * digits[3]


def literal_part(planes, code, bins, pool):
    """Histograms of windows, the maximum over a row of windows, for three scales."""
    values = []
    for _ in range(3):
        height, width = planes.shape[:2]
        for top in range(0, height - 9, 5):
            best = [0] * bins
            for left in range(0, width - 9, 5):
                counts = [0] * bins
                for y in range(top, top + 10):
                    for x in range(left, left + 10):
                        place = code(planes, y, x)
                        counts[place] += 1
                best = [max(pair) for pair in zip(best, counts, strict=True)]
            values += best if width >= 10 else []
        corners = [planes[i : height // 2 * 2 : 2, j : width // 2 * 2 : 2] for i, j in CORNERS]
        planes = pool(sum(corners) / 4)
    logs = np.log(np.array(values) + 1.0)
    return logs / np.sqrt((logs**2).sum())


CORNERS = ((0, 0), (0, 1), (1, 0), (1, 1))


def literal_lomo(picture, gain):
    bins = np.zeros(picture.shape)
    for y in range(len(picture)):
        for x in range(picture.shape[1]):
            hue, saturation, value = literal_hsv(picture[y, x])
            for place, share in enumerate((hue, saturation, value * gain[y, x])):
                bins[y, x, place] = min(math.floor(8 * share + 1e-9), 7)
    parts = [
        literal_part(
            bins, lambda b, y, x: int(64 * b[y, x, 2] + 8 * b[y, x, 1] + b[y, x, 0]), 512, np.floor
        )
    ]
    grey = picture @ np.array([0.2989, 0.5870, 0.1140])
    for radius in (3, 5):

        def code(levels, y, x, radius=radius):
            return literal_siltp(levels, y, x, radius)

        parts.append(literal_part(grey, code, 81, lambda levels: levels))
    return parts


@pytest.fixture(scope="module")
def pictures():
    """Two pictures, one of period 10, and that moved by 5; uint8 [4 40 20 3]."""
    tile = np.tile(image(40, 10), (1, 2, 1))
    return np.stack([image(), image(seed=1), tile, np.roll(tile, 5, axis=1)])


@pytest.fixture(scope="module")
def described(pictures):
    """Their descriptors without Retinex, from levels of float type."""
    plain = jax.jit(lambda levels: lomo(levels, retinex=False))
    return np.asarray(plain(jnp.asarray(pictures, jnp.float32)))


def test_it_equals_a_loop_over_scales_windows_and_pixels(pictures, described):
    colours, texture, wide = literal_lomo(pictures[0], np.ones((40, 20)))
    # Rows of windows: 7 and 3; at the second scale, 10 pixels are too narrow for radius 5.
    assert [len(part) for part in (colours, texture)] == [10 * 512, 10 * 81]
    wide = wide[: 7 * 81] / np.linalg.norm(wide[: 7 * 81])
    expected = np.concatenate([colours, texture, wide])
    np.testing.assert_allclose(described[0], expected, atol=1e-6)


@pytest.mark.slow
def test_with_retinex_only_the_colours_are_others(pictures, described):
    colours, *_ = literal_lomo(pictures[0], literal_gain(pictures[0]))
    plain, found = described[0], np.asarray(jax.jit(lomo)(jnp.asarray(pictures)))[0]
    np.testing.assert_allclose(found[: len(colours)], colours, atol=1e-6)
    assert not np.allclose(found[: len(colours)], plain[: len(colours)])
    assert np.array_equal(found[len(colours) :], plain[len(colours) :])


def test_where_across_a_colour_is_counts_for_nothing(pictures, described):
    # A picture of period 10, moved by 5, has the same windows in another order.
    assert not np.array_equal(*pictures[2:])
    first_scale = described[2:, : 7 * 512]
    parts = [part / np.linalg.norm(part) for part in first_scale]
    np.testing.assert_allclose(*parts, atol=1e-6)


@pytest.mark.slow
def test_parts_have_length_one_and_bytes_give_the_same(pictures, described):
    assert described.dtype == np.float32
    np.testing.assert_allclose((described**2).sum(1), 3, rtol=1e-5)
    whole = jax.jit(lambda levels: lomo(levels, retinex=False))
    np.testing.assert_allclose(whole(jnp.asarray(pictures)), described, atol=1e-6)


def test_retinex_gain_equals_a_loop_over_pixels():
    picture = image()
    found = retinex_gain(jnp.asarray(picture[None], jnp.float32))[0]
    np.testing.assert_allclose(found, literal_gain(picture), rtol=1e-4, atol=1e-4)


def test_retinex_leaves_an_even_image_and_never_exceeds_white():
    assert np.allclose(retinex_gain(jnp.full((1, 12, 10, 3), 90.0)), 1)
    picture = jnp.asarray(image()[None], jnp.float32)
    brightened = picture * retinex_gain(picture)[..., None]
    assert brightened.max() < 255.01 and brightened.max() > 254.9
    assert np.isfinite(retinex_gain(jnp.zeros((1, 12, 10, 3)))).all()


@pytest.mark.parametrize(
    ("size", "expected"), [((128, 48), 26960), ((160, 60), 35722), ((288, 144), 64704)]
)
def test_lengths_are_the_known_ones(size, expected):
    assert descriptor_length("lomo", size) == expected


def test_images_without_a_window_are_refused():
    with pytest.raises(UserError) as caught:
        lomo(jnp.zeros((1, 40, 9, 3)))
    assert caught.value.about == ("images",)


def test_bins_of_known_colours():
    colours = {  # hue, saturation, value
        (255, 0, 0): (0, 7, 7),
        (255, 255, 0): (1, 7, 7),  # 60 degrees of 360: 8 / 6
        (0, 255, 0): (2, 7, 7),
        (0, 0, 255): (5, 7, 7),
        (255, 0, 255): (6, 7, 7),
        (0, 0, 0): (0, 0, 0),
        (128, 128, 128): (0, 0, 4),
        (127, 127, 127): (0, 0, 3),
        (200, 100, 100): (0, 4, 6),
    }
    found = hsv_bins(jnp.array([[list(colours)]]))
    assert np.stack(found, -1).tolist() == [[[list(bins) for bins in colours.values()]]]


def test_siltp_by_hand():
    grey = jnp.array([[[10, 14, 10], [13, 10, 6], [10, 7, 10]]])
    # The middle: right 6 is darker (1), up 14 brighter (2 x 3), left 13 and down 7 are ties (0).
    # Its right neighbour 6: right is itself, up 10 and left 10 and down 10 are brighter.
    found = siltp(grey, 1)[0]
    assert int(found[1, 1]) == 1 + 2 * 3
    assert int(found[1, 2]) == 2 * 3 + 2 * 9 + 2 * 27
    assert int(siltp(grey, 3)[0, 0, 0]) == 0  # beyond the border is the border


def test_scaling_a_grey_image_changes_no_siltp_code():
    grey = jnp.asarray(np.random.default_rng(0).integers(0, 256, (2, 12, 11)))
    for radius in (3, 5):
        assert np.array_equal(siltp(7 * grey, radius), siltp(10 * grey, radius))
