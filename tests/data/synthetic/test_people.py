"""Synthetic people compared with the measured statistics of real pairs.

Grey levels and correlations are compared with figures measured on real visible and thermal
footage, HOG's rank with what it reaches on RegDB.
"""

import numpy as np
import pytest

from dmcf_jax.data.synthetic.parts import Part
from dmcf_jax.data.synthetic.people import SPECTRA, make_person, render
from dmcf_jax.errors import UserError
from dmcf_jax.models.descriptors.hog import hog

LUMINANCE = np.array([0.299, 0.587, 0.114])


@pytest.fixture(scope="module")
def pairs():
    """Forty people's visible and thermal pictures at three equal frames, uint8 [40 3 2 h w 3]."""
    people = [make_person(11, identity) for identity in range(40)]
    return np.array(
        [
            [
                [
                    render(person, spectrum="visible", frame=frame, camera=1, view="back"),
                    render(person, spectrum="thermal", frame=frame, camera=2, view="back"),
                ]
                for frame in range(3)
            ]
            for person in people
        ]
    )


@pytest.mark.parametrize("spectrum", SPECTRA)
def test_a_picture_follows_from_its_numbers_alone(spectrum):
    def take(seed=2, identity=4, **changes):
        numbers = {"frame": 7, "camera": 3, "view": "front"} | changes
        return render(make_person(seed, identity), spectrum=spectrum, **numbers)

    first = take()
    assert first.dtype == np.uint8 and first.shape == (128, 64, 3)
    assert np.array_equal(first, take())
    for change in ({"seed": 3}, {"identity": 5}, {"frame": 8}, {"camera": 4}, {"view": "back"}):
        assert not np.array_equal(first, take(**change)), change


def test_infrared_pictures_are_grey_and_visible_ones_coloured(pairs):
    spread = pairs.max(-1).astype(int) - pairs.min(-1)
    assert spread[:, :, 1].max() == 0
    assert spread[:, :, 0].mean() > 10


def test_a_person_is_the_same_in_every_call_and_unlike_the_next():
    assert make_person(1, 2) == make_person(1, 2)
    people = [make_person(1, identity) for identity in range(50)]
    assert len({(person.body, person.outfit, person.habit) for person in people}) == 50


def test_spectra_show_one_person_in_unrelated_greys():
    materials = [make_person(8, identity).materials for identity in range(200)]
    for part in (Part.UPPER, Part.LOWER):
        grey = np.array([np.dot(material.visible[part], LUMINANCE) for material in materials])
        warmth = np.array([material.thermal[part] for material in materials])
        reflectance = np.array([material.near_infrared[part] for material in materials])
        related = np.abs(np.corrcoef([grey, warmth, reflectance])[np.triu_indices(3, 1)])
        assert related.max() < 0.2


def test_any_size_is_rendered_whole():
    person = make_person(0, 1)
    for size in ((96, 48), (288, 144), (61, 23)):
        for spectrum in SPECTRA:
            picture = render(person, spectrum=spectrum, frame=0, camera=1, size=size)
            assert picture.shape == (*size, 3)


def test_wrong_words_are_named_all_at_once():
    with pytest.raises(UserError, match=r"(?s)'infrared'.*'side'"):
        render(make_person(0, 0), spectrum="infrared", frame=0, camera=1, view="side")


def test_grey_levels_lie_near_the_measured_ones(pairs):
    grey = pairs @ LUMINANCE
    visible, thermal = grey[:, :, 0].reshape(-1, 128, 64), grey[:, :, 1].reshape(-1, 128, 64)
    means = visible.mean((1, 2)), thermal.mean((1, 2))
    assert abs(means[0].mean() - 100) < 15 and abs(means[0].std() - 44) < 15
    assert abs(means[1].mean() - 119) < 15 and abs(means[1].std() - 54) < 15
    assert 20 < np.median(visible.std((1, 2))) < 55
    assert 12 < np.median(thermal.std((1, 2))) < 64
    assert 10 < np.median(body_over_background(thermal)) < 80
    assert np.median(body_over_background(visible)) < 0


def body_over_background(grey):
    body = grey[:, 32:100, 26:38].mean((1, 2))
    edges = np.concatenate([grey[:, :100, :6], grey[:, :100, -6:]], 2)
    return body - edges.mean((1, 2))


def test_thermal_is_no_map_of_luminance(pairs):
    grey = (pairs @ LUMINANCE).reshape(-1, 2, 128 * 64)
    related = [np.corrcoef(*pair)[0, 1] for pair in grey if pair.std(axis=1).min() > 0]
    low, middle, high = np.percentile(related, [10, 50, 90])
    assert abs(low + 0.43) < 0.2 and abs(middle + 0.12) < 0.2 and abs(high - 0.36) < 0.2


def histogram(picture):
    counts = np.concatenate([np.histogram(band, 16, (0, 256))[0] for band in picture.T])
    return counts / np.linalg.norm(counts)


def small(picture):
    pixels = picture.reshape(16, 8, 8, 8, 3).mean((1, 3, 4)).ravel()
    return (pixels - pixels.mean()) / (pixels.std() + 1e-9)


def colour_histograms(pictures):
    return np.stack([histogram(picture) for picture in pictures])


def coarse_pixels(pictures):
    return np.stack([small(picture) for picture in pictures])


def cosine_hog(pictures):
    descriptors = hog(pictures)
    return descriptors / np.linalg.norm(descriptors, axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("describe", "least", "most"),
    [(colour_histograms, 0, 0.12), (coarse_pixels, 0, 0.25), (cosine_hog, 0.12, 0.45)],
)
def test_matchers_without_training_find_few_people(pairs, describe, least, most):
    """Chance is 1 in 40 = 0.025; the bounds leave room for 120 queries."""
    identity = np.repeat(np.arange(40), 3)
    visible, thermal = (describe(pairs[:, :, band].reshape(-1, 128, 64, 3)) for band in range(2))
    similarity = visible @ thermal.T
    for towards in (similarity, similarity.T):
        assert least <= (identity[towards.argmax(1)] == identity).mean() < most


def test_cloths_that_touch_differ_in_every_spectrum():
    materials = [make_person(4, identity).materials for identity in range(100)]
    for spectrum, gap in (("visible", 0.1), ("thermal", 0.15), ("near_infrared", 0.12)):
        light = np.array([one.tables[spectrum].mean(1) for one in materials])
        for one, other in ((Part.UPPER, Part.SECOND), (Part.UPPER, Part.LOWER)):
            apart = np.abs(light[:, one] - light[:, other])
            assert (apart > gap).mean() > 0.8, (spectrum, one, other)


def test_looser_boxes_move_the_person_more():
    def spread(looseness):
        person = make_person(0, 3)
        pictures = np.stack(
            [
                render(person, spectrum="visible", frame=9, camera=camera, looseness=looseness)
                for camera in range(30)
            ]
        )
        return pictures.mean(-1).std(0).mean()

    assert spread(2.0) > spread(0.0)
