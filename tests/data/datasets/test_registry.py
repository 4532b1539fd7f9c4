"""The registry of data sets: complete, and open to a data set that is defined elsewhere."""

import importlib
import pkgutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.trees import noise, write_llcm, write_regdb, write_sysu_mm01

from dmcf_jax.config.fields import FIELDS
from dmcf_jax.data import datasets
from dmcf_jax.data.datasets import DATASETS
from dmcf_jax.data.datasets.dataset import Counts, Dataset
from dmcf_jax.data.datasets.inspect_tree import inspect_tree
from dmcf_jax.data.datasets.listing import Listing, Record
from dmcf_jax.data.image_store import load_images
from dmcf_jax.data.records.prepare import prepare
from dmcf_jax.data.records.prepared import read_metadata
from dmcf_jax.data.records.verify_records import verify_prepared
from dmcf_jax.errors import UserError
from dmcf_jax.evaluate import choose_protocols
from dmcf_jax.evaluation.protocols import find_protocol

WRITERS = {"regdb": write_regdb, "sysu_mm01": write_sysu_mm01, "llcm": write_llcm}


def test_every_file_with_a_record_is_registered():
    names = [module.name for module in pkgutil.iter_modules(datasets.__path__)]
    modules = [importlib.import_module(f"{datasets.__name__}.{name}") for name in names]
    records = [module.DATASET for module in modules if hasattr(module, "DATASET")]
    assert {record.name: record for record in records} == DATASETS


@pytest.mark.parametrize("name", DATASETS)
def test_every_record_is_complete(name):
    dataset = DATASETS[name]
    assert dataset.name == name and dataset.title and dataset.description
    assert set(dataset.train_splits) <= set(dataset.splits) and "test" in dataset.splits
    assert dataset.protocols
    for protocol in map(find_protocol, dataset.protocols):
        assert protocol.dataset in ("", name)
        assert protocol.models == (dataset.trials or 1)
    assert FIELDS["data.name"](name) is None
    assert all(FIELDS["data.train_splits"]([split]) is None for split in dataset.train_splits)
    if dataset.published is not None:
        assert set(dataset.published) == set(dataset.splits)
        assert all(isinstance(counts, Counts) for counts in dataset.published.values())


@pytest.mark.parametrize("name", WRITERS)
def test_the_layout_of_a_record_is_the_one_on_disk(name, tmp_path):
    dataset = DATASETS[name]
    WRITERS[name](tmp_path)
    assert {folder.name for folder in tmp_path.iterdir()} == set(dataset.landmarks)
    (listing,) = inspect_tree(dataset, tmp_path, dataset.trial_numbers[:1]).values()
    assert listing.problems == [] and set(listing.splits) == set(dataset.splits)


def inspect_four(root: Path) -> Listing:
    """Images are <split>/<identity>_<camera>_<modality>.png."""
    listing = Listing()
    for split in ("train", "test"):
        records = []
        for file in (root / split).iterdir():
            numbers = map(int, file.stem.split("_"))
            records.append(Record(f"{split}/{file.name}", *numbers))
        listing.add_split(split, records)
    return listing


FOUR = Dataset(
    name="four",
    title="Four",
    description="Four images of two people.",
    landmarks=("train", "test"),
    splits=("train", "test"),
    train_splits=("train",),
    protocols=("plain/visible-to-infrared",),
    inspect=inspect_four,
)


def test_a_data_set_defined_elsewhere_is_prepared_and_read(tmp_path, monkeypatch):
    monkeypatch.setitem(DATASETS, "four", FOUR)
    paths = ["train/1_1_0.png", "train/1_2_1.png", "test/2_1_0.png", "test/2_2_1.png"]
    for seed, path in enumerate(paths):
        noise(tmp_path / "source" / path, seed)
    (result,) = prepare("four", tmp_path / "source", tmp_path / "data")
    assert result.built and result.path == tmp_path / "data/four/1.0.0"
    assert not prepare("four", tmp_path / "source", tmp_path / "data")[0].built
    assert read_metadata("four", tmp_path / "data")["counts"]["test"]["infrared"] == 1
    store = load_images("four", tmp_path / "data", ("train", "test"), (16, 8))
    assert store.path.tolist() == paths
    assert store.identity.tolist() == [1, 1, 2, 2] and store.camera.tolist() == [1, 2, 1, 2]
    for image, path in zip(store.images, paths, strict=True):
        np.testing.assert_array_equal(image, Image.open(tmp_path / "source" / path))
    assert verify_prepared("four", tmp_path / "data", source=tmp_path / "source")
    assert {p.name for p in choose_protocols("four", ("all",))} >= set(FOUR.protocols)


def test_missing_folders_of_a_data_set_defined_elsewhere_are_recognised(tmp_path, monkeypatch):
    monkeypatch.setitem(DATASETS, "four", FOUR)
    write_regdb(tmp_path / "source")
    with pytest.raises(UserError) as error:
        prepare("four", tmp_path / "source", tmp_path / "data")
    assert "--dataset=regdb" in error.value.problems[0].text
    assert error.value.about == ("--dataset", *FOUR.landmarks)
