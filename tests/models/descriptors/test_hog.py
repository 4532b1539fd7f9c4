"""HOG compared with scikit-image, and with loops written from its definition."""

import math

import numpy as np
import pytest
from PIL import Image

from dmcf_jax.models.descriptors.hog import hog, luma


@pytest.fixture(scope="module")
def images():
    """Noise, an even grey, a ramp and blocks, uint8 [4 128 64 3]."""
    draw = np.random.default_rng(0)
    noise = draw.integers(0, 256, (128, 64, 3), np.uint8)
    ramp = np.add.outer(np.arange(128), np.arange(64)).astype(np.uint8)
    blocks = np.kron(draw.integers(0, 256, (16, 8)), np.ones((8, 8))).astype(np.uint8)
    grey = [np.repeat(plane[..., None], 3, 2) for plane in (np.full_like(ramp, 7), ramp, blocks)]
    return np.stack([noise, *grey])


def test_it_equals_scikit_image(images):
    feature = pytest.importorskip("skimage.feature")
    expected = [
        feature.hog(
            grey,
            orientations=9,
            pixels_per_cell=(8, 8),
            cells_per_block=(2, 2),
            block_norm="L2-Hys",
            transform_sqrt=True,
        )
        for grey in np.asarray(luma(images))
    ]
    assert hog(images).shape == (4, 3780)
    np.testing.assert_allclose(hog(images), expected, rtol=0, atol=1e-6)


def literal_hog(grey):
    """The definition, a pixel, a cell and a block at a time."""
    height, width = grey.shape
    cells = np.zeros((height // 8, width // 8, 9))
    for y in range(height):
        for x in range(width):
            down = across = 0.0
            if 0 < y < height - 1:
                down = math.sqrt(grey[y + 1, x]) - math.sqrt(grey[y - 1, x])
            if 0 < x < width - 1:
                across = math.sqrt(grey[y, x + 1]) - math.sqrt(grey[y, x - 1])
            angle = math.degrees(math.atan2(down, across)) % 180
            cells[y // 8, x // 8, int(angle // 20)] += math.hypot(down, across) / 64
    values = []
    for row in range(len(cells) - 1):
        for column in range(cells.shape[1] - 1):
            block = cells[row : row + 2, column : column + 2].ravel()
            block = block / math.sqrt(sum(block**2) + 1e-10)
            block = np.minimum(block, 0.2)
            values.extend(block / math.sqrt(sum(block**2) + 1e-10))
    return values


def test_it_equals_the_definition(images):
    small = images[:, :32, :24]
    expected = [literal_hog(grey.astype(float)) for grey in np.asarray(luma(small))]
    np.testing.assert_allclose(hog(small), expected, rtol=0, atol=1e-6)


def test_luma_is_that_of_pillow(images):
    expected = [np.asarray(Image.fromarray(image).convert("L")) for image in images]
    assert np.array_equal(luma(images), expected)


def test_an_even_image_has_no_edges(images):
    assert not hog(images[1:2]).any()
