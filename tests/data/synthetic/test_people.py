"""Made-up people against the published layouts and the measured statistics of real pairs.

Layouts are read back with patterns written here from the data sets' descriptions; grey levels and
correlations are compared with the figures measured on real visible and thermal footage.
"""

import re

import numpy as np
import pytest
from PIL import Image

from dmcf_jax.data.synthetic.people import SPECTRA, make_person, render
from dmcf_jax.data.synthetic.trees import write_regdb_tree, write_sysu_mm01_tree
from dmcf_jax.errors import UserError

LUMINANCE = np.array([0.299, 0.587, 0.114])
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
    root = tmp_path_factory.mktemp("made_up") / "regdb"
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
    root = tmp_path_factory.mktemp("made_up") / "sysu"
    write_sysu_mm01_tree(root, identities=SYSU_IDENTITIES, seed=5, images_per_camera=2)
    return root


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
    materials = [make_person(8, identity).materials for identity in range(300)]
    upper, lower = 6, 12
    for part in (upper, lower):
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


@pytest.mark.parametrize(("describe", "most"), [(histogram, 0.12), (small, 0.25)])
def test_grey_levels_alone_hardly_find_a_person(pairs, describe, most):
    """Chance is 1 in 40 = 0.025; the bounds leave room for 120 queries."""
    identity = np.repeat(np.arange(40), 3)
    visible = np.stack([describe(picture) for picture in pairs[:, :, 0].reshape(-1, 128, 64, 3)])
    thermal = np.stack([describe(picture) for picture in pairs[:, :, 1].reshape(-1, 128, 64, 3)])
    similarity = visible @ thermal.T
    for towards in (similarity, similarity.T):
        assert (identity[towards.argmax(1)] == identity).mean() < most


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
    told = []
    write_regdb_tree(
        tmp_path / "tree",
        identities=2,
        seed=0,
        images_per_identity=2,
        progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(done, 8) for done in range(1, 9)]


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
