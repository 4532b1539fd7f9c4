"""Which pictures a folder or a file means to embed and search, and which are refused."""

import shutil

import pytest
from support.toys import toy_model, write_people
from support.trees import noise, touch, write_llcm, write_regdb, write_sysu_mm01

from dmcf_jax.errors import UserError
from dmcf_jax.retrieval.embed_pictures import embed_pictures
from dmcf_jax.retrieval.picture_list import list_images


def refused(*arguments):
    with pytest.raises(UserError) as error:
        list_images(*arguments)
    return error.value


def test_a_folder_too_deep_is_refused_and_its_place_named(tmp_path):
    write_people(tmp_path / "people/people")
    error = refused(tmp_path / "people", "visible")
    assert error.about == (str(tmp_path / "people/people/infrared"),)
    assert f"--images={tmp_path}/people/people" in str(error)
    assert len(list_images(tmp_path / "people/people", "visible").rows) == 8


def test_capital_names_are_no_reason_to_mix_modalities(tmp_path):
    write_people(tmp_path)
    (tmp_path / "visible").rename(tmp_path / "Visible")
    (tmp_path / "infrared").rename(tmp_path / "Infrared")
    for modality, other in (("visible", "Infrared"), ("infrared", "Visible")):
        assert refused(tmp_path, modality).about == (str(tmp_path / other),)
    assert len(list_images(tmp_path / "Visible", "visible").rows) == 8
    assert refused(tmp_path / "Visible", "infrared").about == (str(tmp_path / "Visible"),)


@pytest.mark.parametrize(
    ("write", "wrong"),
    [
        (lambda root: write_regdb(root, trials=(1,)), ["Thermal"]),
        (lambda root: write_sysu_mm01(root, images=1), ["cam3", "cam6"]),
        (write_llcm, ["nir"]),
    ],
)
def test_the_root_of_a_published_data_set_is_not_one_modality(tmp_path, write, wrong):
    write(tmp_path / "download")
    error = refused(tmp_path / "download", "visible")
    assert sorted(error.about) == [str(tmp_path / "download" / name) for name in wrong]


@pytest.mark.parametrize("place", ["ann/0.png", "ann", "ann/hall", "ann/hall/1.png"])
def test_a_place_below_a_folder_of_the_other_modality_is_refused(tmp_path, place):
    write_people(tmp_path)
    noise(tmp_path / "infrared/ann/hall/1.png", 5)
    assert refused(tmp_path / "infrared" / place, "visible", "--query").about == ("--query",)
    assert list_images(tmp_path / "infrared" / place, "infrared").rows
    shutil.rmtree(tmp_path / "visible")  # then a folder's name alone proves nothing
    assert list_images(tmp_path / "infrared" / place, "visible").rows


def test_unknown_people_in_a_folder_called_visible_have_no_identity(tmp_path):
    for n in range(4):
        noise(tmp_path / f"visible/frame_{n}.png", n)
    noise(tmp_path / "visible/ann/hall/a.png", 5)  # a camera here, none there
    noise(tmp_path / "infrared/night.png", 6)
    rows = list_images(tmp_path, "visible").rows
    assert [row.identity for row in rows] == ["ann", "", "", "", ""]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("night.gif", "convert it to"),
        ("night.mp4", "cut it into frames"),
        ("features.npz", "is no picture"),
        ("night", "without an ending"),
    ],
)
def test_one_file_of_another_kind_is_named_by_its_kind(tmp_path, name, words):
    touch(tmp_path / name)
    error = refused(tmp_path / name, "infrared", "--query")
    assert error.about == ("--query",) and words in str(error) and "CSV" not in str(error)


def test_what_embed_leaves_out_is_printed_and_recorded(tmp_path, capsys):
    noise(tmp_path / "gallery/a.png", 1)
    touch(tmp_path / "gallery/b.gif")
    images = list_images(tmp_path / "gallery", "visible")
    found = embed_pictures(toy_model(), images, tmp_path / "out", show=True)
    assert "1 (b.gif)" in capsys.readouterr().err
    assert len(found) == 1 and "b.gif" in found.manifest["images"]["notes"][0]


def test_a_folder_of_nothing_but_other_kinds_says_so(tmp_path):
    touch(tmp_path / "clip.mov")
    error = refused(tmp_path, "visible")
    assert error.about == ("--images",) and "videos" in str(error)


def test_pictures_of_new_kinds_are_embedded_with_their_own_pixels(tmp_path):
    noise(tmp_path / "a.png", 1)
    from PIL import Image

    Image.open(tmp_path / "a.png").save(tmp_path / "b.tif")
    Image.open(tmp_path / "a.png").save(tmp_path / "c.webp", lossless=True)
    found = embed_pictures(toy_model(), list_images(tmp_path, "visible"), tmp_path / "out")
    first, *others = found.read()
    assert len(others) == 2 and all((first == other).all() for other in others)
    shutil.rmtree(tmp_path / "out")
