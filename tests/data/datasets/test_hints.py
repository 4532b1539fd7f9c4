"""Published data sets as they circulate: what a tree that is not quite one is told."""

import shutil

import pytest
from PIL import Image
from support.trees import write_regdb, write_sysu_mm01

from dmcf_jax.data.datasets import find_dataset
from dmcf_jax.data.datasets.inspect_tree import inspect_tree


def hint(name, root, trial=None):
    return inspect_tree(find_dataset(name), root, (trial,))[trial].problems[0]


def test_converted_pictures_are_named_where_the_lists_say_bmp(tmp_path):
    write_regdb(tmp_path, ids=2, images=1, trials=(1,))
    for path in list(tmp_path.rglob("*.bmp")):
        Image.open(path).save(path.with_suffix(".jpg"))
        path.unlink()
    problem = hint("regdb", tmp_path, 1)
    assert "'Visible/1/male_back_v_00000_1.jpg' does" in problem.text


def test_folders_in_lower_case_are_to_be_renamed(tmp_path):
    write_regdb(tmp_path, ids=2, images=1, trials=(1,))
    (tmp_path / "Visible").rename(tmp_path / "visible")
    (tmp_path / "Thermal").rename(tmp_path / "thermal")
    problem = hint("regdb", tmp_path, 1)
    assert problem.about == "--source" and "visible to Visible, thermal to Thermal" in problem.text


@pytest.mark.parametrize("folders", ["RegDB", "Dataset/RegDB"])
def test_a_root_up_to_two_folders_deeper_is_named(tmp_path, folders):
    write_regdb(tmp_path / "x" / folders, ids=2, images=1, trials=(1,))
    assert f"--source={tmp_path}/x/{folders}" in hint("regdb", tmp_path / "x", 1).text


def test_folders_of_a_disk_station_are_no_identities(tmp_path):
    write_regdb(tmp_path, ids=2, images=1, trials=(1,))
    for folder in ("Visible/@eaDir", "Thermal/1/@eaDir", "Visible/__MACOSX"):
        (tmp_path / folder).mkdir()
        Image.new("RGB", (8, 8)).save(tmp_path / folder / "thumb.jpg")
    listing = inspect_tree(find_dataset("regdb"), tmp_path, (1,))[1]
    assert listing.problems == [] and len(listing.paths()) == 4


def test_missing_lists_are_told_where_they_come_from(tmp_path):
    write_regdb(tmp_path, ids=2, images=1, trials=())
    problem = hint("regdb", tmp_path, 1)
    assert problem.about == "idx" and "archive" in problem.text


def test_pictures_below_ori_data_with_the_lists_beside_them(tmp_path):
    write_sysu_mm01(tmp_path, images=1)
    (tmp_path / "ori_data").mkdir()
    for n in range(1, 7):
        (tmp_path / f"cam{n}").rename(tmp_path / f"ori_data/cam{n}")
    assert "move the folder exp into ori_data" in hint("sysu_mm01", tmp_path).text


@pytest.mark.parametrize("prefix", ["./", "RegDB/", "data/RegDB/", ".\\"])
def test_lists_whose_paths_begin_above_the_root_are_told_the_right_ones(tmp_path, prefix):
    write_regdb(tmp_path, ids=2, images=1, trials=(1,))
    for path in tmp_path.glob("idx/*"):
        lines = path.read_text().splitlines()
        path.write_text("".join(f"{prefix}{line}\n" for line in lines))
    about = f"'{prefix}Visible/1/male_back_v_00000_1.bmp' does not exist, but 'Visible/1/male"
    assert about in hint("regdb", tmp_path, 1).text


@pytest.mark.parametrize(("cameras", "missing"), [((3, 6), "infrared"), ((1, 2, 4, 5), "visible")])
def test_splits_without_one_modality_are_noted(tmp_path, cameras, missing):
    write_sysu_mm01(tmp_path, images=1)
    for camera in cameras:
        for folder in list((tmp_path / f"cam{camera}").iterdir()):
            shutil.rmtree(folder)
    listing = inspect_tree(find_dataset("sysu_mm01"), tmp_path, (None,))[None]
    noted = [note for note in listing.notes if f"no {missing} images" in note]
    assert len(noted) == 3 and listing.problems == []
