"""Augmentation against plain NumPy: every result is one of the few images that it may be."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dmcf_jax.data.augment import augment, normalise

MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def random_images(seed, lowest, shape):
    return jnp.asarray(np.random.default_rng(seed).integers(lowest, 256, shape, np.uint8))


def literal_normalise(images):
    return (images / 255.0 - MEAN) / DEVIATION


def all_views(image, pad):
    """Every (crop corner, mirrored) view of one padded image."""
    padded = np.pad(image, ((pad, pad), (pad, pad), (0, 0)))
    height, width = image.shape[:2]
    for y in range(2 * pad + 1):
        for x in range(2 * pad + 1):
            crop = padded[y : y + height, x : x + width]
            yield (y, x, False), crop
            yield (y, x, True), crop[:, ::-1]


def test_normalise_is_the_imagenet_formula():
    images = random_images(0, 0, (2, 5, 4, 3))
    np.testing.assert_allclose(normalise(images), literal_normalise(np.asarray(images)), atol=1e-5)


@pytest.mark.parametrize("mode", [lambda f: f, jax.jit], ids=["eager", "jitted"])
def test_results_are_padded_crops_and_their_mirror_images(mode):
    images = random_images(1, 1, (40, 6, 5, 3))
    results = mode(lambda k, i: augment(k, i, pad=1, flip=0.5))(jax.random.key(0), images)
    seen = set()
    for image, result in zip(np.asarray(images), np.asarray(results), strict=True):
        matches = [
            view
            for view, crop in all_views(image, 1)
            if np.allclose(result, literal_normalise(crop), atol=1e-4)
        ]
        assert len(matches) == 1
        seen.add(matches[0])
    # 18 views, 40 images: corners of both extremes and both mirrors must occur.
    assert {y for y, _, _ in seen} == {0, 1, 2} and {m for _, _, m in seen} == {True, False}


@pytest.mark.parametrize(("flip", "mirrored"), [(0.0, False), (1.0, True)])
def test_flip_is_a_probability(flip, mirrored):
    images = random_images(2, 0, (8, 4, 4, 3))
    expected = images[:, :, ::-1] if mirrored else images
    result = augment(jax.random.key(0), images, pad=0, flip=flip)
    np.testing.assert_allclose(result, literal_normalise(np.asarray(expected)), atol=1e-5)
