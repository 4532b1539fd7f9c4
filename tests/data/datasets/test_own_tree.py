"""Trees of people's own pictures: nothing is dropped in silence, other layouts have a way in."""

import os

import pytest
from support.toys import write_people
from support.trees import noise, touch

from dmcf_jax.data.datasets import own
from dmcf_jax.data.datasets.own_tree import VCM
from dmcf_jax.errors import UserError


def paths(found):
    return found.listing.paths()


def test_jfif_and_tracklets_below_a_camera_are_read_and_noted(tmp_path):
    write_people(tmp_path, ("ann", "bo"))
    (tmp_path / "visible/ann/0.png").rename(tmp_path / "visible/ann/0.jfif")
    for kind in ("visible", "infrared"):
        noise(tmp_path / kind / "cy/c2/T1/0.png", 5)
    for kind, name in (
        ("visible", "ann"),
        ("visible", "bo"),
        ("infrared", "ann"),
        ("infrared", "bo"),
    ):
        os.rename(tmp_path / kind / name, tmp_path / "x")
        (tmp_path / kind / name).mkdir()
        os.rename(tmp_path / "x", tmp_path / kind / name / "c1")
    found = own.inspect(tmp_path, 1.0)
    assert found.listing.problems == [] and len(paths(found)) == 10
    assert "visible/ann/c1/0.jfif" in paths(found) and sorted(found.cameras.values()) == [
        "c1",
        "c2",
    ]
    assert any("2 (infrared/cy/c2/T1/0.png" in note for note in found.listing.notes)


def test_pictures_without_an_identity_are_one_problem_with_their_number(tmp_path):
    write_people(tmp_path, ("ann",))
    for n in range(5):
        noise(tmp_path / f"visible/e_c1_{n}.png", n)
    (problem,) = own.inspect(tmp_path, 1.0).listing.problems
    assert problem.about == "identity" and "5 (visible/e_c1_0.png" in problem.text


def test_what_lies_beside_the_two_folders_is_noted(tmp_path):
    write_people(tmp_path, ("ann",))
    noise(tmp_path / "extra/x.png", 1)
    touch(tmp_path / "visible/ann/clip.mp4")
    found = own.inspect(tmp_path, 1.0)
    assert len(paths(found)) == 4 and len(found.listing.notes) == 2


def test_pictures_of_kinds_that_are_not_read_are_problems(tmp_path):
    write_people(tmp_path, ("ann",))
    touch(tmp_path / "visible/ann/a.heic")
    os.symlink("nowhere", tmp_path / "infrared/ann/b.png")
    about = [problem.about for problem in own.inspect(tmp_path, 1.0).listing.problems]
    assert about == ["visible/ann/a.heic", "infrared/ann/b.png"]


def test_a_tree_that_begins_below_is_told_where(tmp_path):
    write_people(tmp_path / "people/people", ("ann",))
    (problem,) = own.inspect(tmp_path / "people", 1.0).listing.problems
    assert problem.about == str(tmp_path / "people")
    assert f"--source={tmp_path}/people/people" in problem.text


def test_a_tree_with_capital_names_is_told_which(tmp_path):
    write_people(tmp_path, ("ann",))
    for name in ("visible", "infrared"):
        (tmp_path / name).rename(tmp_path / name.title())
    (problem,) = own.inspect(tmp_path, 1.0).listing.problems
    assert problem.about == str(tmp_path) and "'Infrared' is not taken" in problem.text


def write_vcm(root):
    for split, ids in (("Train", (1, 2)), ("Test", (3,))):
        for pid in ids:
            for kind in ("ir", "rgb"):
                for camera in ("D1", "D2"):
                    noise(root / f"{split}/{pid:04d}/{kind}/{camera}/{pid:04d}_F1.png", pid)
    return root


def test_hitsz_vcm_is_told_its_pattern_and_read_by_it(tmp_path):
    write_vcm(tmp_path)
    (problem,) = own.inspect(tmp_path, 0.5).listing.problems
    assert VCM in problem.text
    found = own.inspect(tmp_path, pattern=VCM)
    assert found.listing.problems == []
    assert found.listing.identities("train") == {1, 2} and found.listing.identities("test") == {3}
    assert found.cameras == {0: "D1", 1: "D2"} and len(paths(found)) == 12
    record = found.listing.splits["test"][0]
    assert record.path == "Test/0003/ir/D1/0003_F1.png" and record.modality == 1


def test_pictures_outside_of_a_pattern_are_counted(tmp_path):
    write_vcm(tmp_path)
    noise(tmp_path / "Train/0001/stray.png", 1)
    found = own.inspect(tmp_path, pattern="*/{identity}/{modality}", split_by_identity=0.5)
    assert len(paths(found)) == 12 and "1 (Train/0001/stray.png)" in found.listing.notes[0]


@pytest.mark.parametrize(
    ("pattern", "about"),
    [
        ("{identity}", ("modality",)),
        ("{person}/{modality}", ("person", "identity")),
        ("{identity}/{identity}/{modality}", ("identity",)),
    ],
)
def test_a_pattern_that_cannot_be_used_is_refused(tmp_path, pattern, about):
    with pytest.raises(UserError) as error:
        own.inspect(tmp_path, 0.5, pattern=pattern)
    assert error.value.about == about
