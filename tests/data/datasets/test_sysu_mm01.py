"""SYSU-MM01 compared with its published counts and with the files themselves, and broken trees."""

import sys

import numpy as np
import pytest
import tensorflow_datasets as tfds
from support.trees import SYSU_CAMERAS, NamesOnly, edit, noise, touch, write_sysu_mm01, write_text

from dmcf_jax.data.datasets import DATASETS, sysu_mm01
from dmcf_jax.data.datasets.inspect_tree import inspect_tree
from dmcf_jax.data.records.builder import builder_class
from dmcf_jax.errors import UserError

# notes of the data set: identities, then images in cam1..cam6
PUBLISHED = {
    "train": (296, (4721, 5753, 5929, 4821, 4989, 4000)),
    "val": (99, (0, 0, 1980, 990, 984, 0)),
    "test": (96, (1374, 1565, 1883, 1918, 1918, 1920)),
}


@pytest.fixture
def published_names(tmp_path):
    """The published number of identities and images, by name only."""
    names, first = NamesOnly(tmp_path), 1
    for split, (identities, images) in PUBLISHED.items():
        pids = range(first, first + identities)
        first += identities
        write_text(tmp_path / f"exp/{split}_id.txt", ",".join(map(str, pids)) + "\n")
        for camera, total in enumerate(images, 1):
            for pid, share in zip(pids, np.array_split(np.arange(total), identities), strict=True):
                for n in range(1, len(share) + 1):
                    names.write(tmp_path / f"cam{camera}/{pid:04d}/{n:04d}.jpg")
    return names


def test_published_counts_are_accepted_and_add_up(published_names, monkeypatch):
    published_names.use(monkeypatch)
    listing = sysu_mm01.inspect(published_names.root)
    assert listing.problems == listing.mismatches == []
    trainval = listing.splits["train"] + listing.splits["val"]
    assert sum(record.modality == 0 for record in trainval) == 22258
    assert sum(record.modality == 1 for record in trainval) == 11909
    assert len({record.identity for record in trainval}) == 395
    assert sum(record.modality == 0 for record in listing.splits["test"]) == 6775
    assert sum(record.modality == 1 for record in listing.splits["test"]) == 3803


def test_one_lost_image_is_named(published_names, monkeypatch):
    published_names.files["cam4/0007"].remove("cam4/0007/0003.jpg")
    published_names.use(monkeypatch)
    listing = sysu_mm01.inspect(published_names.root)
    assert listing.problems == []
    (mismatch,) = listing.mismatches
    assert mismatch.about == "train"
    assert "4820" in mismatch.text and "cam4/0007/0003.jpg" in mismatch.text


def test_records_hold_the_files_as_they_are(tmp_path):
    root = write_sysu_mm01(tmp_path / "source")
    builder = builder_class(DATASETS["sysu_mm01"])(data_dir=tmp_path / "data", unofficial=True)
    config = tfds.download.DownloadConfig(manual_dir=root)
    builder.download_and_prepare(download_config=config)
    decoders = {"image": tfds.decode.SkipDecoding()}
    for split, pids in {"train": (1, 2), "val": (334,), "test": (6, 10)}.items():
        records = list(builder.as_data_source(split, decoders=decoders))
        expected = sorted(
            f"cam{camera}/{pid:04d}/{n:04d}.jpg"
            for pid in pids
            for camera in SYSU_CAMERAS[split]
            for n in (1, 2)
        )
        assert [record["path"].decode() for record in records] == expected
        for record, path in zip(records, expected, strict=True):
            assert record["image"] == (root / path).read_bytes()
            assert record["identity"] == int(path.split("/")[1])
            assert record["camera"] == int(path[3])
            assert record["modality"] == (path[3] in "36")
    again = tfds.builder_from_directory(builder.data_dir)
    assert again.info.metadata["official"] is False
    assert again.info.metadata["counts"]["train"]["visible"] == 16
    assert "tensorflow" not in sys.modules


def test_other_counts_stop_the_builder(tmp_path):
    root = write_sysu_mm01(tmp_path / "source")
    builder = builder_class(DATASETS["sysu_mm01"])(data_dir=tmp_path / "data", source=root)
    with pytest.raises(UserError, match="--unofficial") as error:
        builder.download_and_prepare()
    assert {f"exp/{split}_id.txt" for split in PUBLISHED} <= set(error.value.about)
    assert not (tmp_path / "data/sysu_mm01/1.0.0").exists()


def missing_list(root):
    (root / "exp/train_id.txt").unlink()


def missing_camera(root):
    for file in (root / "cam6").glob("*/*"):
        file.unlink()
    for folder in (root / "cam6").iterdir():
        folder.rmdir()
    (root / "cam6").rmdir()


def identity_twice(root):
    edit(root / "exp/test_id.txt", "6,10", "6,2")


def repeated_identity(root):
    edit(root / "exp/test_id.txt", "6,10", "6,6,10")


def a_word(root):
    edit(root / "exp/val_id.txt", "334", "334,many")


def empty_list(root):
    write_text(root / "exp/val_id.txt", "\r\n")


def identity_without_images(root):
    edit(root / "exp/train_id.txt", "1,2", "1,2,77")
    (root / "cam1/0077").mkdir()


def other_kind(root):
    touch(root / "cam1/0001/0003.webp")


def odd_folder(root):
    (root / "cam2/person").mkdir()


def loop(root):
    (root / "cam1/0001/0009.jpg").symlink_to("0009.jpg")


def leaving_link(root):
    noise(root.parent / "secret.jpg", 1)
    (root / "cam1/0001/0009.jpg").symlink_to(root.parent / "secret.jpg")


def not_text(root):
    (root / "exp/val_id.txt").write_bytes(b"\xff\xfe\x00")


@pytest.mark.parametrize(
    ("harm", "about", "value"),
    [
        (missing_list, "exp/train_id.txt", "missing"),
        (missing_camera, "cam6", "missing"),
        (identity_twice, "exp/test_id.txt", "identity 2"),
        (repeated_identity, "exp/test_id.txt", "identity 6"),
        (a_word, "exp/val_id.txt", "'many'"),
        (empty_list, "exp/val_id.txt", "no identity"),
        (identity_without_images, "exp/train_id.txt", "0077"),
        (other_kind, "cam1/0001/0003.webp", ".webp"),
        (odd_folder, "cam2/person", "0001"),
        (loop, "cam1/0001/0009.jpg", "a broken link"),
        (leaving_link, "cam1/0001/0009.jpg", "leaves the data set's root"),
        (not_text, "exp/val_id.txt", "UTF-8"),
    ],
)
def test_a_broken_tree_is_named(tmp_path, harm, about, value):
    root = write_sysu_mm01(tmp_path / "source", images=1)
    harm(root)
    listing = inspect_tree(DATASETS["sysu_mm01"], root)[None]
    assert [p for p in listing.problems if p.about == about and value in p.text], listing.problems


def test_harmless_oddities_are_read(tmp_path):
    root = write_sysu_mm01(tmp_path / "source", images=1)
    expected = len(sysu_mm01.inspect(root).paths())
    (root / "cam1/0001/0001.jpg").rename(root / "cam1/0001/0001.JPG")
    noise(root / "cam1/0001/größe.jpg", 1)
    for stray in ("Thumbs.db", "._0001.jpg", ".DS_Store", "readme.txt"):
        touch(root / "cam1/0001" / stray)
    (root / "cam1/0333").mkdir()  # an identity that this camera never saw
    (root / "cam1/0001/again").symlink_to(root, target_is_directory=True)
    write_text(root / "exp/train_id.txt", "\ufeff1, 2\r\n")
    listing = sysu_mm01.inspect(root)
    assert listing.problems == []
    assert len(listing.paths()) == expected + 1
    assert "cam1/0001/0001.JPG" in listing.paths()


def test_identities_in_no_list_are_noted(tmp_path):
    root = write_sysu_mm01(tmp_path / "source", images=1)
    noise(root / "cam1/0500/0001.jpg", 1)
    assert sysu_mm01.inspect(root).notes == [
        "1 images of 1 identities are in no list of exp/ and stay unused"
    ]
