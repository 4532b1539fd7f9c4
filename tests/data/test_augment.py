"""Augmentation against plain NumPy: every result is one of the few images that it may be."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.tiers import MODES

from dmcf_jax.data.augment import Augmentation, augment
from dmcf_jax.data.prepare_input import CHANNELS, InputForm, normalise

MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


# Compiled once for each choice of settings: eager, each primitive would be compiled on its own.
augmented = jax.jit(augment, static_argnums=(2, 3))


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


@MODES
def test_results_are_padded_crops_and_their_mirror_images(mode):
    images = random_images(1, 1, (40, 6, 5, 3))
    results = mode(lambda k, i: augment(k, i, "visible", Augmentation(pad=1, flip=0.5)))(
        jax.random.key(0), images
    )
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
    result = augmented(jax.random.key(0), images, "visible", Augmentation(flip=flip))
    np.testing.assert_allclose(result, literal_normalise(np.asarray(expected)), atol=1e-5)


def test_the_edge_is_repeated_where_it_is_asked_for():
    images = random_images(3, 0, (30, 4, 4, 3))
    settings = Augmentation(pad=2, pad_mode="edge")
    results = augmented(jax.random.key(0), images, "infrared", settings)
    for image, result in zip(np.asarray(images), np.asarray(results), strict=True):
        padded = np.pad(image, ((2, 2), (2, 2), (0, 0)), "edge")
        crops = [padded[y : y + 4, x : x + 4] for y in range(5) for x in range(5)]
        assert any(np.allclose(result, literal_normalise(crop), atol=1e-4) for crop in crops)


def test_what_is_off_leaves_the_input_as_it_was():
    images = random_images(4, 0, (6, 8, 6, 3))
    plain, key = Augmentation(pad=1, flip=0.5), jax.random.key(0)
    never = plain._replace(channel_exchange=1e-9, random_grey=1e-9, invert=1e-9, erase=1e-9)
    results = [np.asarray(augmented(key, images, "visible", each)) for each in (plain, never)]
    np.testing.assert_allclose(*results, atol=1e-5)


def test_colours_are_taken_from_visible_images_only():
    images, key = random_images(5, 0, (4, 4, 4, 3)), jax.random.key(0)
    for settings in (Augmentation(channel_exchange=1.0), Augmentation(random_grey=1.0)):
        visible = np.asarray(augmented(key, images, "visible", settings))
        back = visible * DEVIATION + MEAN
        np.testing.assert_allclose(back, np.repeat(back[..., :1], 3, -1), atol=1e-5)
        infrared = augmented(key, images, "infrared", settings)
        np.testing.assert_allclose(infrared, literal_normalise(np.asarray(images)), atol=1e-5)


def test_each_change_keeps_its_numbers_when_another_is_switched_on():
    images, key = random_images(6, 0, (50, 4, 4, 3)), jax.random.key(3)
    one, both = Augmentation(invert=0.5), Augmentation(invert=0.5, random_grey=1e-9)
    np.testing.assert_array_equal(
        augmented(key, images, "visible", one), augmented(key, images, "visible", both)
    )
    modalities = [augmented(key, images, m, one) for m in ("visible", "infrared")]
    np.testing.assert_array_equal(*modalities)  # of one key; the step gives each its own


@pytest.mark.slow
@pytest.mark.parametrize("channels", CHANNELS)
def test_all_changes_in_one_program_are_those_of_single_operations(channels):
    # At the size of training: XLA joins operations differently in small programs.
    images = random_images(7, 0, (24, 96, 48, 3))
    settings = Augmentation(
        pad=4,
        flip=0.5,
        channel_exchange=0.5,
        random_grey=0.5,
        tone=0.5,
        contrast=0.3,
        invert=0.5,
        erase=0.5,
        form=InputForm(channels, standardise=True),
    )
    key = jax.random.key(1)
    found = augmented(key, images, "visible", settings)
    with jax.disable_jit():
        expected = augment(key, images, "visible", settings)
    np.testing.assert_allclose(found, expected, atol=1e-4)
