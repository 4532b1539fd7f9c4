"""LLCM compared with its published counts and with the files themselves, and broken trees."""

import numpy as np
import pytest
import tensorflow_datasets as tfds
from support.trees import NamesOnly, edit, noise, write_llcm, write_text

from dmcf_jax.data.datasets import DATASETS, llcm
from dmcf_jax.data.datasets.inspect_tree import inspect_tree
from dmcf_jax.data.records.builder import builder_class


def shares(total, first, identities):
    parts = np.array_split(np.arange(total), identities)
    return {first + n: len(part) for n, part in enumerate(parts)}


@pytest.mark.slow
def test_published_counts_are_accepted(tmp_path, monkeypatch):
    names = NamesOnly(tmp_path)
    write_llcm(
        tmp_path,
        {"vis": shares(16946, 1, 713), "nir": shares(13975, 1, 713)},
        {
            "vis": {0: 30, **shares(8650, 714, 350)},
            "nir": {0: 16, **shares(7150, 714, 350)},
        },
        write=names.write,
    )
    names.use(monkeypatch)
    listing = llcm.inspect(tmp_path)
    assert listing.problems == listing.mismatches == []
    assert sum(map(len, listing.splits.values())) == 46767


def test_records_hold_the_files_as_they_are(tmp_path):
    root = write_llcm(tmp_path / "source")
    builder = builder_class(DATASETS["llcm"])(
        data_dir=tmp_path / "data", source=root, unofficial=True
    )
    builder.download_and_prepare()
    decoders = {"image": tfds.decode.SkipDecoding()}
    records = list(builder.as_data_source("test", decoders=decoders))
    paths = [record["path"].decode() for record in records]
    assert paths == sorted(paths) and len(paths) == 8
    for record, path in zip(records, paths, strict=True):
        assert record["image"] == (root / path).read_bytes()
        assert record["identity"] == int(path.split("/")[1])
        assert f"_c0{record['camera']}_" in path
        assert record["modality"] == path.startswith("nir")
    assert {record["identity"] for record in records} == {0, 7}
    assert len(builder.as_data_source("train", decoders=decoders)) == 8


def test_test_images_may_lie_in_the_camera_folders(tmp_path):
    root = write_llcm(tmp_path / "source")
    name = "0007_c05_s1_f1_vis.jpg"
    noise(root / f"test_vis/cam5/0007/{name}", 3)
    lines = (root / "idx/test_vis.txt").read_text() + f"test_vis/cam5/0007/{name} 1\n"
    write_text(root / "idx/test_vis.txt", lines)
    listing = llcm.inspect(root)
    assert listing.problems == []
    (record,) = [r for r in listing.splits["test"] if r.path.endswith(name)]
    assert (record.identity, record.camera, record.modality) == (7, 5, 0)


def no_camera(root):
    noise(root / "vis/0003/plain.jpg", 1)
    edit(root / "idx/train_vis.txt", "vis/0003/0003_c01_s120000_f0_vis.jpg", "vis/0003/plain.jpg")


@pytest.mark.parametrize(
    ("harm", "about", "value"),
    [
        (lambda root: (root / "idx/test_nir.txt").unlink(), "idx/test_nir.txt", ""),
        (lambda root: (root / "nir").rename(root / "ir"), "nir", ""),
        (
            lambda root: edit(root / "idx/test_vis.txt", "vis/0000", "vis/../vis/0000"),
            "idx/test_vis.txt",
            "vis/../vis/0000",
        ),
        (lambda root: edit(root / "idx/train_nir.txt", " 0\n", "\n"), "idx/train_nir.txt", "1"),
        (lambda root: edit(root / "idx/train_nir.txt", " 0\n", " 9\n"), "idx/train_nir.txt", "9"),
        (no_camera, "vis/0003/plain.jpg", ""),
    ],
)
def test_a_broken_tree_is_named(tmp_path, harm, about, value):
    root = write_llcm(tmp_path / "source")
    harm(root)
    problems = inspect_tree(DATASETS["llcm"], root)[None].problems
    assert [p for p in problems if p.about == about and value in p.text], problems


def test_the_list_of_test_identities_is_compared(tmp_path):
    root = write_llcm(tmp_path / "source")
    write_text(root / "idx/test_id.txt", "0007,0008\n")
    mismatches = llcm.inspect(root).mismatches
    texts = [each.text for each in mismatches if each.about == "idx/test_id.txt"]
    assert len(texts) == 2 and "0000" in texts[0] and "0008" in texts[1]
