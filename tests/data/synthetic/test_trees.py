"""Trees of synthetic people compared with the published layouts.

Layouts are read back with patterns written here from the data sets' descriptions.
"""

import re

import numpy as np
import pytest
from PIL import Image

from dmcf_jax.data.synthetic import writing
from dmcf_jax.data.synthetic.shots import regdb_shots
from dmcf_jax.data.synthetic.trees import write_regdb_tree, write_sysu_mm01_tree
from dmcf_jax.errors import UserError

REGDB_IDENTITIES, REGDB_IMAGES, REGDB_TRIALS = 7, 3, 2
SYSU_IDENTITIES = 20


def tree_bytes(root):
    return {
        file.relative_to(root).as_posix(): file.read_bytes()
        for file in root.rglob("*")
        if file.is_file()
    }


@pytest.fixture(scope="module")
def regdb(tmp_path_factory):
    root = tmp_path_factory.mktemp("synthetic") / "regdb"
    write_regdb_tree(
        root,
        identities=REGDB_IDENTITIES,
        seed=5,
        images_per_identity=REGDB_IMAGES,
        trials=REGDB_TRIALS,
    )
    return root


@pytest.fixture(scope="module")
def sysu(tmp_path_factory):
    root = tmp_path_factory.mktemp("synthetic") / "sysu"
    write_sysu_mm01_tree(root, identities=SYSU_IDENTITIES, seed=5, images_per_camera=2)
    return root


def test_regdb_names_and_counts(regdb):
    pattern = re.compile(
        r"(Visible|Thermal)/(\d+)/(male|female)_(front|back)_([vt])_(\d{5,})_(\d+)\.bmp"
    )
    seen = {}
    for file in sorted(regdb.glob("*/*/*")):
        band, folder, sex, view, letter, frame, pid = pattern.fullmatch(
            file.relative_to(regdb).as_posix()
        ).groups()
        assert letter == {"Visible": "v", "Thermal": "t"}[band] and folder == pid
        seen.setdefault(int(pid), {}).setdefault(band, []).append((sex, view, frame))
    assert sorted(seen) == list(range(1, REGDB_IDENTITIES + 1))
    for bands in seen.values():
        assert bands["Visible"] == bands["Thermal"] and len(bands["Visible"]) == REGDB_IMAGES
    assert {entry.name for entry in regdb.iterdir()} == {"Visible", "Thermal", "idx"}


def test_regdb_pictures_differ_and_are_readable(regdb):
    pictures = [opened(file) for file in sorted(regdb.glob("*/1/*.bmp"))]
    assert {picture.shape for picture in pictures} == {(128, 64, 3)}
    assert len({picture.tobytes() for picture in pictures}) == 2 * REGDB_IMAGES


def opened(file):
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("trial", range(1, REGDB_TRIALS + 1))
def test_regdb_lists(regdb, trial):
    sides = {}
    for split in ("train", "test"):
        lists = {}
        for band in ("visible", "thermal"):
            text = (regdb / "idx" / f"{split}_{band}_{trial}.txt").read_bytes().decode()
            assert text.endswith("\r\n") and text.count("\r\n") == text.count("\n")
            lists[band] = [line.split(" ") for line in text.split("\r\n")[:-1]]
            assert [int(label) for _, label in lists[band]] == [
                line // REGDB_IMAGES for line in range(len(lists[band]))
            ]
            assert all((regdb / name).is_file() for name, _ in lists[band])
        twins = [name.replace("Visible", "Thermal").replace("_v_", "_t_")
                 for name, _ in lists["visible"]]  # fmt: skip
        assert twins == [name for name, _ in lists["thermal"]]
        sides[split] = {name.split("/")[1] for name, _ in lists["visible"]}
    assert sides["train"].isdisjoint(sides["test"])
    assert len(sides["train"]) == REGDB_IDENTITIES // 2
    assert len(sides["train"] | sides["test"]) == REGDB_IDENTITIES


def test_regdb_trials_split_differently(regdb):
    assert len(list((regdb / "idx").iterdir())) == 4 * REGDB_TRIALS
    first, second = (
        {line.split("/")[1] for line in (regdb / "idx" / name).read_text().split()[::2]}
        for name in ("train_visible_1.txt", "train_visible_2.txt")
    )
    assert first != second


def test_sysu_lists_and_cameras(sysu):
    lists = {}
    for name in ("train", "val", "test", "available"):
        text = (sysu / "exp" / f"{name}_id.txt").read_bytes().decode()
        assert re.fullmatch(r"\d+(,\d+)*\n", text)
        lists[name] = [int(pid) for pid in text.split(",")]
        assert lists[name] == sorted(set(lists[name]))
    assert [len(lists[name]) for name in ("train", "val", "test")] == [12, 4, 4]
    assert lists["available"] == list(range(1, SYSU_IDENTITIES + 1))
    assert sorted(lists["train"] + lists["val"] + lists["test"]) == lists["available"]

    cameras = sysu_cameras(sysu)
    assert all(seen & {1, 2, 4, 5} and seen & {3, 6} for seen in cameras.values())
    assert all(cameras[pid] == {3, 4, 5} for pid in lists["val"])
    assert all({3, 4, 5, 6} <= cameras[pid] for pid in lists["test"])
    indoors = [{pid for pid in lists["test"] if camera in cameras[pid]} for camera in (1, 2)]
    assert indoors[0] == indoors[1] and 0 < len(indoors[0]) < 4
    assert any(len(cameras[pid]) < 6 for pid in lists["train"])


def sysu_cameras(root):
    cameras = {}
    for file in root.glob("cam*/*/*"):
        camera, pid = re.fullmatch(
            r"cam([1-6])/(\d{4})/000[12]\.jpg", file.relative_to(root).as_posix()
        ).groups()
        cameras.setdefault(int(pid), set()).add(int(camera))
    return cameras


def test_sysu_infrared_cameras_are_grey(sysu):
    for camera in range(1, 7):
        pixels = opened(next((sysu / f"cam{camera}").glob("*/0001.jpg")))
        assert (pixels.max(2) == pixels.min(2)).all() == (camera in (3, 6))


@pytest.mark.parametrize("write", [write_regdb_tree, write_sysu_mm01_tree])
def test_a_tree_follows_from_its_seed(write, tmp_path):
    few = {"images_per_identity": 1} if write is write_regdb_tree else {"images_per_camera": 1}
    for name, seed in (("first", 3), ("again", 3), ("other", 4)):
        write(tmp_path / name, identities=5, seed=seed, **few)
    first, again, other = (tree_bytes(tmp_path / name) for name in ("first", "again", "other"))
    assert first == again and first != other
    assert not list(tmp_path.glob("*.incomplete"))


def test_progress_counts_every_picture(tmp_path):
    reports = []
    write_regdb_tree(
        tmp_path / "tree",
        identities=2,
        seed=0,
        images_per_identity=2,
        progress=lambda done, total: reports.append((done, total)),
    )
    assert reports == [(done, 8) for done in range(1, 9)]


def test_a_failed_writing_leaves_nothing(tmp_path):
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_regdb_tree(tmp_path / "tree", identities=2, seed=0, progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_mistakes_are_named_all_at_once(tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(UserError, match=r"(?s)seed is -1.*identities is 1.*not empty"):
        write_regdb_tree(tmp_path, identities=1, seed=-1)
    with pytest.raises(UserError, match=r"identities is 4, expected"):
        write_sysu_mm01_tree(tmp_path / "new", identities=4, seed=0)
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine.txt"]


def test_an_empty_directory_is_filled(tmp_path):
    root = tmp_path / "tree"
    root.mkdir()
    write_regdb_tree(root, identities=2, seed=0, images_per_identity=1, trials=1)
    assert (root / "idx" / "test_thermal_1.txt").is_file()


def write_people(root, people, images=2):
    """Write shots with as many workers as the test lets there be; return how many were counted."""
    shots = [s for pid in people for band in regdb_shots(6, pid, images).values() for s in band]
    counted = []
    writing.write_shots(root, shots, lambda: counted.append(1))
    return len(counted)


def test_workers_write_the_same_bytes(tmp_path, monkeypatch):
    assert write_people(tmp_path / "here", (1, 2, 3)) == 12
    monkeypatch.setattr(writing, "cores", lambda: 2)
    monkeypatch.setattr(writing, "_FEWEST_PER_WORKER", 1)
    monkeypatch.setattr(writing, "_SHOTS_AT_ONCE", 3)
    assert write_people(tmp_path / "workers", (1, 2, 3)) == 12
    assert tree_bytes(tmp_path / "here") == tree_bytes(tmp_path / "workers")


@pytest.mark.parametrize("fewest", [1, 1000])
def test_a_picture_that_cannot_be_written_is_an_error_of_the_disk(tmp_path, monkeypatch, fewest):
    monkeypatch.setattr(writing, "cores", lambda: 2)
    monkeypatch.setattr(writing, "_FEWEST_PER_WORKER", fewest)
    (tmp_path / regdb_shots(6, 1, 2)["Visible"][1].name).mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        write_people(tmp_path, (1,))
