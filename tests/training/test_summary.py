"""The end of a run: a collapsing run says so, a healthy one is without alarm; whose rank-1."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import collapsing, tiny_run

from dmcf_jax.configs import default
from dmcf_jax.data.image_store import ImageStore
from dmcf_jax.evaluate import evaluate
from dmcf_jax.evaluation.thresholds import KINDS, measure_thresholds, threshold_lines
from dmcf_jax.methods.train_state import TrainState
from dmcf_jax.runs.load import load_trained
from dmcf_jax.runs.metrics_log import read_metrics
from dmcf_jax.runs.summary import read_summary, thresholds_of, write_summary
from dmcf_jax.train import train
from dmcf_jax.training.summary import IMAGES_EACH, TRAINED, _thresholds, sample_people
from dmcf_jax.training.validation import Score


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return str(tiny_run.make_data(tmp_path_factory.mktemp("data")))


def config_of(data_dir, **changes):
    config = default.get_config()
    config.update_from_flattened_dict(collapsing.SMALL | {"data.data_dir": data_dir} | changes)
    return config


@pytest.mark.slow
@pytest.mark.usefixtures("standard_promotion")
def test_a_collapsing_run_names_its_features_in_log_and_summary(data_dir, tmp_path, capsys):
    train(config_of(data_dir), tmp_path)
    summary = read_summary(tmp_path)
    collapsed = [a["feature"] for a in summary["alarms"] if a["kind"] == "collapsed"]
    guessing = [a["feature"] for a in summary["alarms"] if a["kind"] == "guessing"]
    assert collapsed == guessing == ["G1", "G2"]
    log = capsys.readouterr().err
    assert log.count("ALARM") == 2  # once for each kind, not on every line
    assert "loss.triplet_start_step" in log
    assert "2 features collapsed: G1, G2; 2 features no better than guessing: G1, G2" in log
    last = read_metrics(tmp_path / "metrics.jsonl")[-1]
    assert last["L1"] == pytest.approx(1.8, abs=0.05) and last["spread_G1"] < 0.05


@pytest.mark.slow
@pytest.mark.usefixtures("standard_promotion")
def test_a_healthy_run_has_no_alarm_and_its_rank_1_is_reported(data_dir, tmp_path, capsys):
    changes = {
        "loss.kind": "none",
        "optim.lr_backbone": 0.003,
        "optim.lr_heads": 0.003,
        "train.eval_every": 150,
        "train.held_out": 0.5,
        "sampler.P": 2,
        "sampler.K": 4,
    }
    train(config_of(data_dir, **changes), tmp_path)
    summary = read_summary(tmp_path)
    assert summary["alarms"] == [] and summary["step"] == 150
    assert list(summary["rank-1"]) == ["trained people", "held-out people"]
    assert {score["people"] for score in summary["rank-1"].values()} == {2}
    held_out = json.loads((tmp_path / "evaluations.jsonl").read_text())
    assert summary["rank-1"]["held-out people"]["value"] == pytest.approx(held_out["rank-1"])
    # Two people with two images in each modality: 16 pairs, too few for a rate of 1e-2.
    thresholds = summary["thresholds"]
    assert (thresholds["group"], thresholds["people"]) == ("held-out people", 2)
    assert {name: pairs["thresholds"] for name, pairs in thresholds["pairs"].items()} == {
        name: {} for name in KINDS
    }
    assert load_trained(tmp_path).thresholds == thresholds
    assert "no alarm" in capsys.readouterr().err
    # A finished run whose summary was lost writes it again, and evaluation repeats it.
    (tmp_path / "summary.json").unlink()
    train(config_of(data_dir, **changes), tmp_path)
    assert read_summary(tmp_path) == summary
    evaluate(tmp_path)
    assert "training: no alarm" in capsys.readouterr().err


def store_of(people, images=6):
    """Return blank images of people in both modalities; person 0 has no infrared image."""
    identity = np.repeat(people, 2 * images).astype(np.int32)
    modality = np.tile(np.repeat([0, 1], images), len(people)).astype(np.int32)
    keep = (identity != 0) | (modality == 0)
    identity, modality = identity[keep], modality[keep]
    count = len(identity)
    return ImageStore(
        np.zeros((count, 4, 4, 3), np.uint8),
        identity,
        np.ones(count, np.int32),
        modality,
        np.array([f"{i}.png" for i in range(count)]),
    )


def test_samples_have_equally_many_people_in_both_modalities_and_few_images():
    config = default.get_config()
    groups = {"trained": store_of(range(30)), "held-out": store_of(range(100, 107))}
    for wanted, expected in ((100, 7), (5, 5)):
        config.train.summary_people = wanted
        samples = sample_people(config, groups)
        for name, store in samples.items():
            found, counts = np.unique(store.identity, return_counts=True)
            assert len(found) == expected and 0 not in found
            assert set(found) <= set(groups[name].identity)
            assert (counts == 2 * IMAGES_EACH).all()
    again = sample_people(config, groups)
    jax.tree.map(
        np.testing.assert_array_equal,
        *({n: s.identity for n, s in each.items()} for each in (samples, again)),
    )
    config.train.summary_people = 0
    assert sample_people(config, groups) == {}
    config.train.summary_people = 100
    assert list(sample_people(config, groups | {"one": store_of([200])})) == ["trained", "held-out"]


STATE = TrainState(jnp.int32(0), {}, {}, {})


class ByPath:
    """In place of an embedder: vectors that are stored as images."""

    def __call__(self, variables, images, modality):
        return images.reshape(len(images), -1).astype(np.float32) / 255


def test_thresholds_are_measured_on_people_who_were_not_trained_on():
    trained, others = store_of(range(4)), store_of(range(10, 24))
    draw = np.random.default_rng(0)
    for store in (trained, others):
        store.images[:] = draw.integers(0, 256, store.images.shape)
    score = Score(ByPath())
    groups = {TRAINED: trained, "held-out people": others}
    found = _thresholds(STATE, groups, score)
    vectors = ByPath()(None, others.images, None)
    assert found == {"group": "held-out people"} | measure_thresholds(vectors, others)
    assert found["people"] == 14 and "0.01" in found["pairs"]["across modalities"]["thresholds"]
    assert _thresholds(STATE, {TRAINED: trained}, score) is None
    across = Score(ByPath(), across_only=True)
    assert list(_thresholds(STATE, groups, across)["pairs"]) == ["across modalities"]


def test_embeddings_without_direction_have_no_thresholds(capsys):
    blank = store_of(range(10, 14))
    blank.images[:] = 0
    groups = {TRAINED: store_of(range(4)), "held-out people": blank}
    found = _thresholds(STATE, groups, Score(ByPath()))
    assert found == {"group": "held-out people", "people": 4, "pairs": {}}
    assert "length 0" in capsys.readouterr().err and "length 0" in threshold_lines(found)[0]


def test_thresholds_belong_to_the_step_that_they_were_measured_at(tmp_path):
    assert thresholds_of(tmp_path, 5) is None
    write_summary(tmp_path, {"step": 5, "alarms": [], "rank-1": {}, "thresholds": {"people": 2}})
    assert thresholds_of(tmp_path, 5) == {"people": 2} and thresholds_of(tmp_path, 4) is None
    write_summary(tmp_path, {"step": 5, "alarms": [], "rank-1": {}})  # of an older version
    assert thresholds_of(tmp_path, 5) is None
