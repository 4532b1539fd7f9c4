"""Flags that were given and mean nothing are refused, and so are numbers that cannot be."""

import math
from types import SimpleNamespace

import pytest
from support.toys import toy_model, write_people

from dmcf_jax.cli import prepare_data
from dmcf_jax.data.datasets import own
from dmcf_jax.errors import UserError
from dmcf_jax.retrieval.embed_pictures import embed_pictures
from dmcf_jax.retrieval.picture_list import list_images
from dmcf_jax.search import SearchOptions, _check

USUAL = {
    "source": "people",
    "data_dir": "data",
    "trial": "all",
    "unofficial": False,
    "verify": False,
    "layout": "regdb",
    "identities": 100,
    "seed": 0,
    "split_by_identity": None,
    "pattern": None,
}


def about(function, *arguments):
    with pytest.raises(UserError) as error:
        function(*arguments)
    return error.value.about


@pytest.mark.parametrize(
    ("dataset", "given"),
    [
        ("own", {"trial": "3"}),
        ("own", {"unofficial": True}),
        ("own", {"identities": 4}),
        ("regdb", {"seed": 3}),
        ("regdb", {"split_by_identity": 0.5}),
        ("sysu_mm01", {"pattern": "{identity}"}),
        ("sysu_mm01", {"trial": "1"}),
        ("llcm", {"layout": "sysu_mm01"}),
        ("synthetic", {"source": None, "pattern": "{identity}"}),
    ],
)
def test_a_flag_that_means_nothing_for_a_data_set_is_refused(dataset, given):
    (name,) = [name for name in given if name != "source"]
    options = SimpleNamespace(**USUAL | given, dataset=dataset)
    assert about(prepare_data.run, options) == (f"--{name}",)


@pytest.mark.parametrize("dataset", ["own", "synthetic"])
def test_a_seed_below_0_is_refused(dataset):
    options = USUAL | {"seed": -1, "source": None}
    assert about(prepare_data.run, SimpleNamespace(**options, dataset=dataset)) == ("--seed",)


@pytest.mark.parametrize("share", [math.nan, math.inf, -math.inf, -0.1, 50.0])
def test_a_share_is_from_0_to_1(tmp_path, share):
    (problem,) = own.inspect(write_people(tmp_path), share).listing.problems
    assert problem.about == "--split_by_identity"


@pytest.mark.parametrize(("share", "word"), [(0.01, "train"), (0.99, "test"), (0.5, None)])
def test_a_share_that_leaves_nobody_is_noted(tmp_path, share, word):
    found = own.inspect(write_people(tmp_path), share)
    assert found.listing.problems == [] and len(found.listing.notes) == (word is not None)
    assert word is None or f"leaves none to {word} on" in found.listing.notes[0]


@pytest.mark.parametrize(
    ("given", "flag"),
    [
        ({"gallery_root": "moved"}, "--gallery_root"),
        ({"index_options": "nprobe=2"}, "--index_options"),
        ({"explain": True}, "--explain"),
        ({"top": 0}, "--top"),
    ],
)
def test_a_flag_of_the_search_without_its_other_is_refused(given, flag):
    assert about(_check, SearchOptions("m", "g", "q", **given)) == (flag,)


def test_embeddings_know_their_modality(tmp_path):
    images = list_images(write_people(tmp_path / "people"), "visible")
    found = embed_pictures(toy_model(), images, tmp_path / "out")
    found.check_modality("visible", "--gallery_modality")
    found.check_modality(None, "--gallery_modality")
    flag = "--gallery_modality"
    assert about(found.check_modality, "infrared", flag) == (flag,)


@pytest.mark.parametrize(
    ("dataset", "way"),
    [
        ("vcm", "--pattern='{split}/{identity}/{modality}/{camera}'"),
        ("HITSZ-VCM", "--pattern="),
        ("market1501", "--dataset=own"),
        ("MSMT17", "--dataset=own"),
        ("cuhk", "synthetic"),
    ],
)
def test_a_data_set_without_a_name_here_is_told_its_way_in(dataset, way):
    with pytest.raises(UserError) as error:
        prepare_data.run(SimpleNamespace(**USUAL, dataset=dataset))
    assert error.value.about == ("--dataset",) and way in error.value.problems[0].text
