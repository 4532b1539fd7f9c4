"""Configs: all of ours are valid, every wrong field is named, and the weighting's start."""

import json

import pytest

from dmcf_jax.config.starts import weighting_start
from dmcf_jax.config.validate import differences, flatten, validate
from dmcf_jax.configs import default, llcm, own, regdb, synthetic, sysu_mm01
from dmcf_jax.errors import UserError
from dmcf_jax.models.resnet import map_size
from dmcf_jax.runs.folder import restore_config
from dmcf_jax.runtime.files import write_atomically


@pytest.mark.parametrize("module", [default, regdb, sysu_mm01, synthetic, llcm, own])
@pytest.mark.parametrize("variant", ["", *default.VARIANTS])
def test_every_config_of_ours_is_valid(module, variant):
    validate(module.get_config(variant))


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("loss.margin", 0.0, "above 0"),
        ("loss.margin", float("nan"), "above 0"),
        ("sampler.P", 1, "from 2 to"),
        ("data.size", (288, 144, 3), "expected 2 entries"),
        ("data.size", (8, 8), "from 32 to"),
        ("data.pad", -1, "from 0 to"),
        ("data.flip", 1.5, "from 0 to 1"),
        ("data.name", "market", "regdb, sysu_mm01, llcm"),
        ("data.train_splits", ("test",), "train"),
        ("model.levels", ("layer2", "layer5", "layer4"), "layer5"),
        ("model.levels", ("layer4", "layer3", "layer2"), "low to high"),
        ("model.stripes", (1, 2), "one a level"),
        ("model.stripes", (1, 2, 10), "only 9 x 5 positions"),
        ("model.stage_sizes", (3, 4, 6), "expected 4 entries"),
        ("model.shared_from", "layer9", "layer4"),
        ("model.last_stride", 3, "from 1 to 2"),
        ("model.non_local", (0, 2, 3), "expected 4 entries"),
        ("model.head", "bn_neck", "bnneck"),
        ("mtl.start_step", -5, "at least 0"),
        ("optim.decay_at", (0.5, 2.0), "from 0 to 1"),
        ("train.keep_best", "mAP", "eval_every"),
        ("dtype", "float16", "bfloat16"),
        ("data.erase", 1.5, "from 0 to 1"),
        ("data.erase_area", (0.4, 0.02), "least, greatest"),
        ("data.input", "gray", "grey"),
        ("data.pad_mode", "wrap", "edge"),
        ("model.neck", "none", "batch_norm"),
        ("loss.kind", "hard", "batch_hard"),
        ("loss.label_smoothing", 1.0, "from 0 to 0.9"),
        ("loss.temperature", 0.0, "above 0"),
        ("optim.schedule", "linear", "cosine"),
        ("ema.decay", 1.0, "from 0 to 0.99999"),
        ("data.views", "two", "channels"),
    ],
)
def test_a_wrong_field_is_named_with_what_is_allowed(field, value, words):
    config = default.get_config()
    with config.unlocked(), config.ignore_type():
        config.update_from_flattened_dict({field: value})
    with pytest.raises(UserError) as raised:
        validate(config)
    assert field in str(raised.value) and words in str(raised.value)


def test_all_wrong_fields_are_named_at_once():
    config = default.get_config()
    config.loss.margin, config.sampler.K, config.dtype = -1.0, 0, "int8"
    with pytest.raises(UserError) as raised:
        validate(config)
    assert all(f in str(raised.value) for f in ("loss.margin", "sampler.K", "dtype"))


def test_map_sizes_are_those_of_the_paper():
    sizes = [map_size((288, 144), stage, 2) for stage in ("layer1", "layer2", "layer3", "layer4")]
    assert sizes == [(72, 36), (36, 18), (18, 9), (9, 5)]
    assert map_size((288, 144), "layer4", 1) == (18, 9)


def test_the_weighting_starts_at_60_percent_by_default():
    config = regdb.get_config()
    assert weighting_start(config) == 3000
    config.mtl.start_step = 7
    assert weighting_start(config) == 7
    assert weighting_start(regdb.get_config("no_mtl")) > config.train.steps


def test_a_config_survives_the_disk(tmp_path):
    config = sysu_mm01.get_config("feature_2_4")
    write_atomically(tmp_path / "config.json", json.dumps(flatten(config)))
    assert restore_config(tmp_path).to_dict() == config.to_dict()


def test_differences_name_what_changes_results():
    old, new = regdb.get_config(), regdb.get_config()
    new.loss.margin, new.data.data_dir, new.train.log_every = 0.3, "elsewhere", 1
    (found,) = differences(flatten(old), flatten(new))
    assert (found.about, found.text) == ("loss.margin", "loss.margin: 1.8 -> 0.3")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"data.input": "grey", "data.random_grey": 0.5}, "data.random_grey"),
        ({"optim.schedule": "cosine", "optim.decay_at": (0.5,)}, "optim.decay_at"),
    ],
)
def test_fields_without_effect_are_refused(changes, field):
    config = default.get_config()
    config.update_from_flattened_dict(changes)
    with pytest.raises(UserError) as raised:
        validate(config)
    assert raised.value.about == (field,)


def test_stripes_concern_only_methods_that_have_them():
    changes = {"data.size": (64, 64), "method.name": "hog", "train.steps": 1}
    config = default.get_config()
    config.update_from_flattened_dict(changes)
    validate(config)
    config.update_from_flattened_dict({"method.name": "dmcf"})
    with pytest.raises(UserError) as raised:
        validate(config)
    assert raised.value.about == ("model.stripes",)


def test_a_config_from_before_a_field_was_added_has_its_default(tmp_path):
    stored = flatten(regdb.get_config())
    for field in ("loss.kind", "data.input", "train.summary_people"):
        del stored[field]
    write_atomically(tmp_path / "config.json", json.dumps(stored))
    assert restore_config(tmp_path).to_dict() == regdb.get_config().to_dict()
