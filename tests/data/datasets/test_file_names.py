"""Identity, camera and modality in the names of files, as published data sets have them."""

import pytest
from support.toys import toy_model
from support.trees import noise

from dmcf_jax.data.datasets import own
from dmcf_jax.data.datasets.file_names import KINDS, kind_of
from dmcf_jax.errors import UserError
from dmcf_jax.retrieval.embed_pictures import embed_pictures
from dmcf_jax.retrieval.picture_list import list_images
from dmcf_jax.retrieval.score_embeddings import score_embeddings

MARKET = "{:04d}_c{}s1_000{}51_03.png"


def market(root, people=(2, 5), cameras=(1, 3), junk=True):
    """Write two pictures of each person in each camera, and what Market-1501 has beside them."""
    for person in people:
        for camera in cameras:
            for frame in (1, 2):
                name = MARKET.format(person, camera, frame)
                noise(root / name, 100 * person + 10 * camera + frame)
    if junk:
        noise(root / "-1_c1s1_000401_03.png", 1)
        noise(root / "0000_c2s1_000401_03.png", 2)
    return root


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.title)
def test_every_example_is_of_its_own_kind_alone(kind):
    assert kind_of([kind.example, f"folder/{kind.example}"]) is kind
    assert kind_of([kind.example, "IMG_0001.jpg"]) is None


@pytest.mark.parametrize(
    "name",
    ["0002_c1s1_000451.jpg", "002_c1s1_000451_03.jpg", "e_c1_0.jpg", "0002.jpg", "male_v_1_2.bmp"],
)
def test_names_that_are_nearly_so_are_not_taken(name):
    assert kind_of([name]) is None


def test_no_file_has_no_kind():
    assert kind_of([]) is None


@pytest.mark.parametrize("folder", ["", "bounding_box_train", "bounding_box_test", "query"])
def test_own_trees_take_people_and_cameras_from_names(tmp_path, folder):
    market(tmp_path / "visible" / folder)
    market(tmp_path / "infrared" / folder, cameras=(6,), junk=False)
    found = own.inspect(tmp_path, 1.0)
    assert found.listing.problems == []
    assert found.identities == {2: "0002", 5: "0005"} and found.cameras == {1: "1", 3: "3", 6: "6"}
    assert len(found.listing.paths()) == 12
    assert [note.split(":")[0] for note in found.listing.notes] == [
        "identity and camera are those in the names of files, as in Market-1501 "
        "(0002_c1s1_000451_03.jpg)",
        "left out",
        "left out",
    ]


def test_a_folder_that_names_a_person_is_believed_more_than_files(tmp_path):
    for kind, camera in (("visible", 1), ("infrared", 6)):
        noise(tmp_path / kind / "ann" / MARKET.format(2, camera, 1), camera)
    found = own.inspect(tmp_path, 1.0)
    assert list(found.identities.values()) == ["ann"] and len(found.listing.notes) == 1


def test_one_name_of_another_kind_and_nothing_is_taken_from_any(tmp_path):
    market(tmp_path / "visible", junk=False)
    noise(tmp_path / "visible/holiday.png", 3)
    (problem,) = own.inspect(tmp_path, 1.0).listing.problems
    assert problem.about == "identity" and "9 (" in problem.text


def test_a_download_of_visible_pictures_alone_is_told_its_names(tmp_path):
    market(tmp_path / "bounding_box_train")
    (problem,) = own.inspect(tmp_path, 1.0).listing.problems
    assert problem.about == str(tmp_path) and "Market-1501" in problem.text


@pytest.mark.parametrize(
    ("name", "modality", "right"),
    [
        ("0001_c01_s120512_f1010_nir.png", "visible", False),
        ("0001_c01_s120512_f1010_vis.png", "visible", True),
        ("female_front_t_00120_7.png", "visible", False),
        ("female_front_t_00120_7.png", "infrared", True),
    ],
)
def test_names_that_say_the_other_modality_are_refused(tmp_path, name, modality, right):
    noise(tmp_path / "night" / name, 1)
    for source in (tmp_path / "night", tmp_path / "night" / name):
        if right:
            (row,) = list_images(source, modality).rows
            assert row.identity in ("0001", "7") and row.modality == modality
        else:
            with pytest.raises(UserError) as error:
                list_images(source, modality)
            assert error.value.about == ("modality",)


def test_embeddings_of_such_files_are_scored_within_one_modality(tmp_path):
    for side, cameras in (("query", (1,)), ("gallery", (1, 3))):
        pictures = market(tmp_path / side, cameras=cameras, junk=side == "gallery")
        embed_pictures(toy_model(), list_images(pictures, "visible"), tmp_path / f"{side}_out")
    found = score_embeddings(tmp_path / "query_out", tmp_path / "gallery_out", "market1501")
    # Of ten gallery pictures one is junk; each query sees two right ones, of camera 3.
    assert (found["gallery"], found["queries"], found["valid_queries"]) == (9, 4, 4)
    assert found["notes"][0].startswith("1 gallery images are junk")
