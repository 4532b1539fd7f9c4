"""RegDB compared with its published counts and with the files themselves, and broken trees."""

import io
import tempfile
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from support.trees import NamesOnly, edit, noise, regdb_name, write_regdb, write_text

from dmcf_jax.data.datasets import DATASETS, regdb
from dmcf_jax.data.datasets.index_files import read_lines
from dmcf_jax.data.datasets.inspect_tree import inspect_tree
from dmcf_jax.data.records.builder import builder_class


@pytest.fixture
def published_names(tmp_path, monkeypatch):
    """The published numbers, by name only: 412 identities, ten images of each kind."""
    names = NamesOnly(tmp_path)
    write_regdb(tmp_path, 412, 10, (1, 2), write=names.write)
    names.use(monkeypatch)
    return tmp_path


def test_published_counts_are_accepted(published_names):
    listings = regdb.inspect(published_names, (1, 2))
    for listing in listings.values():
        assert listing.problems == listing.mismatches == []
        assert [len(listing.splits[split]) for split in ("train", "test")] == [4120, 4120]
    train, test = (
        {record.identity for record in listings[1].splits[split]} for split in ("train", "test")
    )
    assert train | test == set(range(1, 413)) and not train & test
    assert {record.identity for record in listings[2].splits["train"]} == test


def test_a_lost_line_is_a_mismatch(published_names):
    name = published_names / "idx/test_thermal_2.txt"
    edit(name, f"{regdb_name('thermal', 3, 4)} 203\r\n", "")
    listing = regdb.inspect(published_names, (2,))[2]
    assert listing.problems == []
    (mismatch,) = listing.mismatches
    assert mismatch.about == "idx/test_thermal_2.txt"
    assert "2059 images" in mismatch.text and "identity 3 has 9" in mismatch.text


def test_records_hold_the_same_pixels_as_png(tmp_path):
    root = write_regdb(tmp_path / "source")
    options = {"data_dir": tmp_path / "data", "source": root, "unofficial": True}
    builder = builder_class(DATASETS["regdb"])(config="trial_2", **options)
    builder.download_and_prepare()
    decoders = {"image": tfds.decode.SkipDecoding()}
    for split, pids in {"train": (3, 4), "test": (1, 2)}.items():
        records = list(builder.as_data_source(split, decoders=decoders))
        expected = sorted(
            regdb_name(kind, pid, frame)
            for kind in ("visible", "thermal")
            for pid in pids
            for frame in (0, 1)
        )
        assert [record["path"].decode() for record in records] == expected
        for record in records:
            path = record["path"].decode()
            stored = Image.open(io.BytesIO(record["image"]))
            assert stored.format == "PNG"
            np.testing.assert_array_equal(stored, Image.open(root / path))
            assert record["identity"] == int(path.split("/")[1])
            assert record["modality"] == path.startswith("Thermal")
            assert record["camera"] == 1 + path.startswith("Thermal")


LINE = f"{regdb_name('visible', 2, 0)} 0\r\n"
LIST = "idx/train_visible_1.txt"


def change(old, new):
    return lambda root: edit(root / LIST, old, new)


def lose_index(root):
    (root / "idx/test_thermal_1.txt").unlink()


def lose_folder(root):
    (root / "Thermal").rename(root / "thermal")


def both_splits(root):
    for kind in ("visible", "thermal"):
        text = (root / f"idx/test_{kind}_1.txt").read_bytes().decode()
        write_text(root / f"idx/train_{kind}_1.txt", text)


def swap_labels(root):
    text = (root / LIST).read_bytes().decode().replace(" 0\r", " x\r").replace(" 1\r", " 0\r")
    write_text(root / LIST, text.replace(" x\r", " 1\r"))


def misplaced(root):
    noise(root / "Visible/1/male_back_v_00009_2.bmp", 1)
    write_text(root / LIST, (root / LIST).read_text() + "Visible/1/male_back_v_00009_2.bmp 1\n")


@pytest.mark.parametrize(
    ("harm", "about", "value"),
    [
        (lose_index, "idx/test_thermal_1.txt", ""),
        (lose_folder, "Thermal", ""),
        (
            change("_00000_2.bmp 0", "_00099_2.bmp 0"),
            LIST,
            "line 1: points to 'Visible/2/male_back_v_0",
        ),
        (change(" 0\r\n", "\r\n"), LIST, "line 1: has no label"),
        (change(LINE, LINE + LINE), LIST, "line 2: repeats line 1"),
        (
            change("Visible/2", "../Visible/2"),
            LIST,
            "line 1: '../Visible/2/male_back_v_00000_2.bmp' leave",
        ),
        (change("Visible/2", "/etc/2"), LIST, "is absolute"),
        (change("Visible/2", "C:\\Visible\\2"), LIST, "is absolute"),
        (change("Visible/2/m", "Thermal/2/m"), LIST, "points to 'Thermal/2"),
        (change("Visible/2/male", "visible/2/MALE"), LIST, "the names must be equal"),
        (change("_00000_2.bmp 0", "_00000_2.bmp 1"), LIST, "identity 2 has the labels [0, 1]"),
        (swap_labels, "idx/train_thermal_1.txt", "identity 1 has label 1"),
        (both_splits, "idx/test_*_1.txt", "identity 3"),
        (misplaced, "Visible/1/male_back_v_00009_2.bmp", "identity 2"),
        (lambda root: write_text(root / LIST, ""), LIST, "is empty"),
        (lambda root: (root / "Visible/x").mkdir(), "Visible/x", ""),
    ],
)
def test_a_broken_tree_is_named(tmp_path, harm, about, value):
    root = write_regdb(tmp_path / "source")
    harm(root)
    listing = inspect_tree(DATASETS["regdb"], root, (1,))[1]
    assert [p for p in listing.problems if p.about == about and value in p.text], listing.problems


@given(st.lists(st.text(max_size=30) | st.sampled_from(["a/1/x.bmp 3", "A/1/x.bmp 3", "../x 1"])))
def test_any_index_file_gives_existing_paths_or_problems(lines):
    with tempfile.TemporaryDirectory() as root:
        text = "\n".join(lines).encode("utf-8", "surrogatepass")
        Path(root, "list.txt").write_bytes(text)
        problems = []
        found = read_lines(Path(root), "list.txt", {"a/1/x.bmp"}, problems)
    assert {line.path for line in found} <= {"a/1/x.bmp"}
    assert all(problem.about == "list.txt" for problem in problems)
    assert found or problems or not text.strip()


def test_one_modality_only_is_a_mismatch(tmp_path):
    root = write_regdb(tmp_path / "source")
    lines = (root / "idx/test_thermal_1.txt").read_text().splitlines()
    write_text(root / "idx/test_thermal_1.txt", "\n".join(lines[:2]))
    listing = regdb.inspect(root, (1,))[1]
    assert listing.problems == []
    name = "idx/test_visible_1.txt"
    assert [
        each for each in listing.mismatches if each.about == name and "identities 4" in each.text
    ]


def test_unicode_names_and_plain_line_ends_are_read(tmp_path):
    root = write_regdb(tmp_path / "source")
    noise(root / "Visible/2/人 物.bmp", 5)
    lines = (root / LIST).read_text().splitlines()
    write_text(root / LIST, "\n".join([*lines, "Visible/2/人 物.bmp 0"]))
    listing = regdb.inspect(root, (1,))[1]
    assert listing.problems == []
    assert "Visible/2/人 物.bmp" in listing.paths()
