"""A user's own pictures: both layouts, the checks, the split by identity, the prepared set."""

import csv
import shutil

import numpy as np
import pytest
from PIL import Image
from support.toys import write_people
from support.trees import noise, write_text

from dmcf_jax.config.validate import validate
from dmcf_jax.configs import own as own_config
from dmcf_jax.data.datasets import own, own_table
from dmcf_jax.data.image_store import load_images
from dmcf_jax.data.records import prepared
from dmcf_jax.data.records.prepare_own import prepare_own
from dmcf_jax.data.records.verify_records import verify_prepared
from dmcf_jax.errors import UserError
from dmcf_jax.evaluate import choose_protocols

HEADER = "path,identity,modality,camera,split"


def write_csv(path, lines, header=HEADER):
    write_text(path, "\n".join([header, *lines]) + "\n")
    return path


def refused(*arguments, **options):
    with pytest.raises(UserError) as error:
        prepare_own(*arguments, **options)
    return error.value


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    return write_people(tmp_path_factory.mktemp("people"))


def test_a_tree_becomes_records_that_load_as_the_files(people, tmp_path):
    (result,) = prepare_own(people, tmp_path / "data", split_by_identity=0.5, seed=3)
    assert result.built and "your own data" in result.summary()
    metadata = prepared.read_metadata("own", tmp_path / "data")
    assert metadata["identity_names"] == {"0": "ann", "1": "bo", "2": "cy", "3": "di"}
    assert metadata["camera_names"] == {"1": "visible", "2": "infrared"}
    assert metadata["split_by_identity"] == 0.5 and metadata["seed"] == 3
    store = load_images("own", tmp_path / "data", ("train", "test"), (16, 8))
    assert len(store) == 16
    for row, path in enumerate(store.path):
        kind, name, _ = path.split("/")
        assert metadata["identity_names"][str(store.identity[row])] == name
        assert ("visible", "infrared")[store.modality[row]] == kind
        assert store.camera[row] == 1 + store.modality[row]
        np.testing.assert_array_equal(store.images[row], np.asarray(Image.open(people / path)))
    assert [item.path for item in verify_prepared("own", tmp_path / "data", source=people)]


def test_a_csv_file_gives_its_own_splits_cameras_and_far_paths(tmp_path):
    noise(tmp_path / "far/1.png", 1)
    noise(tmp_path / "near/pics/2.jpg", 2)
    noise(tmp_path / "near/3.bmp", 3)
    lines = [
        f"{tmp_path}/far/1.png;p1;visible;hall;train",
        "3.bmp;p1;infrared;hall;train",
        "pics/2.jpg;p2;infrared;gate;test",
    ]
    path = write_csv(tmp_path / "near/list.csv", lines, "\ufeff" + HEADER.replace(",", ";"))
    prepare_own(path, tmp_path / "data")
    store = load_images("own", tmp_path / "data", ("test",), (8, 8))
    metadata = prepared.read_metadata("own", tmp_path / "data")
    assert store.path.tolist() == ["pics/2.jpg"] and store.modality.tolist() == [1]
    assert metadata["camera_names"][str(store.camera[0])] == "gate"
    assert metadata["identity_names"][str(store.identity[0])] == "p2"
    assert metadata["counts"]["train"]["visible"] == 1


def test_folders_below_an_identity_are_cameras(tmp_path):
    noise(tmp_path / "visible/7/lobby/a.png", 1)
    noise(tmp_path / "infrared/7/yard/b.png", 2)
    found = own.inspect(tmp_path, 1.0)
    assert found.listing.problems == [] and found.cameras == {0: "lobby", 1: "yard"}
    assert [tuple(r) for r in found.listing.splits["train"]] == [
        ("infrared/7/yard/b.png", 7, 1, 1),
        ("visible/7/lobby/a.png", 7, 0, 0),
    ]


def test_every_offending_row_is_listed_at_once(tmp_path):
    for name in ("a.png", "b.png", "c.png", "d.png"):
        noise(tmp_path / name, 1)
    write_text(tmp_path / "e.gif", "GIF")
    lines = [
        "a.png,1,visible,c1,train",
        ",1,visible,c1,train",
        "b.png,,visible,c1,train",
        "c.png,1,thermal,c1,train",
        "gone.png,1,visible,c1,train",
        "d.png,1,infrared,c1,test",
        "a.png,1,visible,c1,train",
        "e.gif,1,visible,,dev",
        "too,few",
    ]
    error = refused(write_csv(tmp_path / "list.csv", lines), tmp_path / "data")
    for row, value in (
        (3, "path"),
        (4, "identity"),
        (5, "'thermal'"),
        (6, "'gone.png'"),
        (7, "identity '1' is in test, but in train"),
        (8, "'a.png' is there already in row 2"),
        (9, "'dev'"),
        (9, "'e.gif'"),
        (9, "camera"),
        (10, "2 cells"),
    ):
        texts = [each.text for each in error.problems if each.about == f"row {row}"]
        assert any(value in text for text in texts), (row, value)
    assert set(error.about) == {f"row {row}" for row in range(3, 11)}
    assert str(error).startswith(f"{len(error.problems)} problems in ")
    assert not (tmp_path / "data").exists()


def test_a_long_list_of_faults_is_not_cut(tmp_path):
    lines = [f"{n}.png,1,visible,,train" for n in range(200)]
    error = refused(write_csv(tmp_path / "list.csv", lines), tmp_path / "data")
    assert {f"row {n + 2}" for n in range(200)} <= set(error.about)
    assert all(f"row {n + 2}: '{n}.png' does not exist" in str(error) for n in range(200))


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("path,identity", ("modality",)),
        ("file,id,kind", ("path", "identity", "modality")),
        ("path,identity,modality,path", ("path",)),
    ],
)
def test_a_wrong_header_is_named(tmp_path, header, columns):
    path = write_csv(tmp_path / "list.csv", [], header)
    assert refused(path, tmp_path / "data", split_by_identity=0.5).about == columns


def test_unreadable_pictures_are_all_named_and_nothing_is_left(people, tmp_path):
    root = shutil.copytree(people, tmp_path / "people")
    (root / "visible/ann/0.png").write_bytes(b"")
    (root / "infrared/bo/1.png").write_text("no image")
    error = refused(root, tmp_path / "new/data", split_by_identity=0.5)
    assert error.about == ("infrared/bo/1.png", "visible/ann/0.png")
    assert not (tmp_path / "new").exists()


def split_of(source, share, seed):
    splits = own.inspect(source, share, seed).listing.splits
    return {name: {record.identity for record in rows} for name, rows in splits.items()}


def test_splits_by_identity_are_seeded_and_apart(tmp_path):
    for person in range(40):
        for kind in ("visible", "infrared"):
            noise(tmp_path / kind / str(person) / "0.png", 0)
    found = split_of(tmp_path, 0.25, 5)
    assert len(found["train"]) == 10 and found["train"] | found["test"] == set(range(40))
    assert split_of(tmp_path, 0.25, 5) == found != split_of(tmp_path, 0.25, 6)
    # The order of the rows, and whether a file or folders name them, do not matter.
    rows = own_table.read_rows(tmp_path, [])[::-1]
    with open(tmp_path / "list.csv", "w", newline="") as file:
        csv.writer(file).writerows([own_table.NEEDED, *([r[1], r[2], r[3]] for r in rows)])
    assert split_of(tmp_path / "list.csv", 0.25, 5) == found
    assert set(split_of(tmp_path, 1.0, 0)) == {"train"}


def test_a_split_must_be_named_and_only_once(people, tmp_path):
    flag = ("--split_by_identity",)
    assert refused(people, tmp_path / "data").about == flag
    assert refused(people, tmp_path, split_by_identity=2.0).about == flag
    noise(tmp_path / "a.png", 1)
    path = write_csv(tmp_path / "list.csv", ["a.png,1,visible,,train"])
    assert refused(path, tmp_path, split_by_identity=0.5).about == flag


def test_what_is_prepared_is_kept_and_not_used_as_another(people, tmp_path):
    root, data = shutil.copytree(people, tmp_path / "people"), tmp_path / "data"
    prepare_own(root, data, split_by_identity=0.5)
    assert not prepare_own(root, data, split_by_identity=0.5)[0].built
    assert not prepare_own(None, data)[0].built
    assert refused(root, data, split_by_identity=0.5, seed=1).about == ("--source",)
    noise(root / "visible/ann/9.png", 9)
    assert refused(root, data, split_by_identity=0.5).about == ("--source",)


def test_no_pictures_are_an_error(tmp_path):
    (tmp_path / "empty").mkdir()
    for name in ("empty", "none"):
        error = refused(tmp_path / name, tmp_path / "data", split_by_identity=0.5)
        assert error.about == (str(tmp_path / name),)


def test_numbers_follow_the_names_alone():
    assert own.numbers(["010", "9", "10x"]) == {"010": 0, "10x": 1, "9": 2}
    assert own.numbers(["010", "9"]) == {"010": 10, "9": 9}
    assert own.numbers(["010", "10"]) == {"010": 0, "10": 1}
    assert own.numbers(["99999999999"]) == {"99999999999": 0}


def test_own_data_is_evaluated_in_both_directions_by_the_plain_protocols():
    for names in ((), ("all",)):
        found = [protocol.name for protocol in choose_protocols("own", names)]
        assert sorted(found) == ["plain/infrared-to-visible", "plain/visible-to-infrared"]
    for variant in ("", "quick", "no_split"):
        validate(own_config.get_config(variant))
