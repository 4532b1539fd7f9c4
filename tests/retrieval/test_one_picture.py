"""Pictures in Python as people give them: one or many, paths, arrays, Pillow's, none."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.toys import toy_model
from support.trees import noise

from dmcf_jax import load_model
from dmcf_jax.errors import UserError
from dmcf_jax.retrieval.top_k import rank


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("one") / "a.png"
    noise(path, 1)
    return path


FORMS = {
    "text": str,
    "path": lambda p: p,
    "array": lambda p: np.asarray(Image.open(p)),
    "Pillow": Image.open,
    "list of text": lambda p: [str(p)],
    "tuple of paths": lambda p: (p,),
    "list of Pillow": lambda p: [Image.open(p)],
    "generator": lambda p: (each for each in [p]),
    "map": lambda p: map(Path, [str(p)]),
    "batch": lambda p: np.asarray(Image.open(p))[None],
    "view": lambda p: np.asarray(Image.open(p))[..., ::-1][..., ::-1],
}


@pytest.mark.parametrize("form", FORMS)
def test_one_picture_is_a_list_of_one(path, form):
    expected = toy_model().embed([path], "infrared")
    found = toy_model().embed(FORMS[form](path), "infrared")
    assert found.shape == (1, 12)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1", "I;16"])
def test_pillows_modes_are_those_of_files(path, tmp_path, mode):
    image = Image.open(path).convert("L")
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image).astype(np.uint16) * 257)
    else:
        image = image.convert(mode)
    image.save(tmp_path / "b.png")
    by_file = toy_model().embed(tmp_path / "b.png", "visible")
    np.testing.assert_array_equal(toy_model().embed(image, "visible"), by_file)


def test_a_grey_array_is_its_three_equal_channels(path):
    grey = np.asarray(Image.open(path).convert("L"))
    expected = toy_model().embed(np.stack([grey] * 3, axis=-1), "visible")
    np.testing.assert_array_equal(toy_model().embed(grey, "visible"), expected)
    two = toy_model().embed(np.stack([grey, grey]), "visible")  # [n h w]
    np.testing.assert_array_equal(two, np.concatenate([expected, expected]))


@pytest.mark.parametrize(
    ("value", "about"),
    [
        (np.zeros((4, 4, 4), np.uint8), ["an array"] * 0),
        ([np.zeros((4, 4, 4), np.uint8)], ["an array"]),
        ([np.zeros((4, 4, 3))], ["an array"]),
        ("/", ["/"]),
    ],
)
def test_what_is_no_picture_is_named_once_each(value, about):
    if not about:  # [n h w]: four grey pictures
        assert toy_model().embed(value, "visible").shape == (4, 12)
        return
    with pytest.raises(UserError) as error:
        toy_model().embed(value, "visible")
    assert list(error.value.about) == about


@pytest.mark.parametrize(
    ("count", "calls"), [(1, [1]), (8, [1] * 8), (9, [64]), (64, [64]), (65, [64, 64])]
)
def test_few_pictures_do_not_take_the_time_of_a_full_batch(count, calls):
    pictures, found = [np.zeros((4, 4, 3), np.uint8)] * count, []
    assert toy_model(calls=found).embed(pictures, "visible").shape == (count, 12)
    assert found == calls


def test_a_picture_alone_is_the_same_row_as_among_many():
    model = load_model("synthetic")
    pixels = np.random.default_rng(0).integers(0, 256, (9, *model.size, 3), np.uint8)
    many = model.embed_pixels(pixels, "infrared")
    few = model.embed_pixels(pixels[:2], "infrared")
    np.testing.assert_allclose(few, many[:2], atol=1e-6)


def test_nothing_gives_nothing():
    gallery = np.eye(3, dtype=np.float32)
    for empty in ([], (), iter([]), np.empty((0, 4, 4, 3), np.uint8)):
        assert toy_model().embed(empty, "visible").shape == (0, 12)
    scores, rows = rank(gallery[:0], gallery, 2)
    assert scores.shape == rows.shape == (0, 2)
    scores, rows = rank(gallery, gallery[:0], 2)
    assert scores.shape == rows.shape == (3, 0)
    scores, rows = rank(gallery[1], gallery, 1)
    assert rows.tolist() == [[1]] and scores.tolist() == [[1.0]]
