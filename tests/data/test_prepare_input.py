"""The network's input against plain NumPy, in both kinds of channels and scales."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from dmcf_jax.data.augment import Augmentation, augment
from dmcf_jax.data.prepare_input import CHANNELS, InputForm, luma, prepare_input

MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
FORMS = [InputForm(channels, scaled) for channels in CHANNELS for scaled in (False, True)]


def pictures(count=3):
    return np.random.default_rng(0).integers(0, 256, (count, 7, 5, 3), np.uint8)


def literal_input(image, form):
    values = image / 255.0
    if form.channels == "grey":
        red, green, blue = values[..., 0], values[..., 1], values[..., 2]
        values = np.stack([0.299 * red + 0.587 * green + 0.114 * blue] * 3, axis=-1)
    if form.standardise:
        return (values - values.mean()) / (values.std() + 0.02)
    return (values - MEAN) / DEVIATION


@pytest.mark.parametrize("form", FORMS)
def test_the_input_is_the_formula_image_by_image(form):
    images = pictures()
    found = jax.jit(lambda x: prepare_input(x, form))(jnp.asarray(images))
    expected = np.stack([literal_input(image, form) for image in images])
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_training_without_changes_gives_the_same_input(form):
    images = jnp.asarray(pictures())
    trained = augment(jax.random.key(0), images, "visible", Augmentation(form=form))
    np.testing.assert_allclose(trained, prepare_input(images, form), atol=1e-6)


def test_blank_images_are_finite():
    blank = jnp.zeros((2, 4, 4, 3), jnp.uint8)
    assert not np.asarray(prepare_input(blank, InputForm("grey", True))).any()


def test_luma_is_pillows_up_to_its_rounding():
    (image,) = pictures(1)
    pillow = np.asarray(Image.fromarray(image).convert("L"), float)
    found = np.asarray(luma(jnp.asarray(image)))
    assert np.abs(found - pillow[..., None]).max() < 1.0
