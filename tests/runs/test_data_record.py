"""A run knows its data: hashes, names of people; other data are refused or named in results."""

import json
import shutil

import numpy as np
import pytest
from ml_collections import ConfigDict
from support.toys import write_people
from support.trees import noise

from dmcf_jax.config.validate import flatten
from dmcf_jax.configs import own as own_config
from dmcf_jax.data.image_store import load_images
from dmcf_jax.data.records.prepare_own import prepare_own
from dmcf_jax.data.records.prepare_synthetic import synthetic_source
from dmcf_jax.data.records.prepared import is_synthetic
from dmcf_jax.errors import UserError
from dmcf_jax.evaluate import _compare_data
from dmcf_jax.evaluation.results import marked_title
from dmcf_jax.runs import data_record
from dmcf_jax.runs.folder import read_config, refuse_other_config
from dmcf_jax.runs.other_data import DataChoice
from dmcf_jax.training.init_from import start_from

PEOPLE = ("ann", "bo", "cy", "di", "eve", "flo", "gus", "hal")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return the folder of people and their data, split in halves by seed 0."""
    root = tmp_path_factory.mktemp("made")
    write_people(root / "people", PEOPLE)
    prepare_own(root / "people", root / "data", split_by_identity=0.5)
    return root


def config_of(data_dir):
    config = own_config.get_config("quick")
    config.data.data_dir = str(data_dir)
    return config


def classes_of(data_dir):
    return sorted(set(load_images("own", data_dir, ("train",), (8, 8)).identity.tolist()))


@pytest.fixture
def run(made, tmp_path):
    """Return a run's folder and its own copy of the data."""
    data = shutil.copytree(made / "data", tmp_path / "data")
    (tmp_path / "run").mkdir()
    record = data_record.describe(config_of(data), classes_of(data))
    data_record.write_record(tmp_path / "run", record)
    return tmp_path / "run", data


def again(data, people, **options):
    shutil.rmtree(data)
    prepare_own(people, data, **{"split_by_identity": 0.5, **options})


def refused(function, *arguments):
    with pytest.raises(UserError) as error:
        function(*arguments)
    return error.value


def resume(workdir, data):
    record = data_record.describe(config_of(data), classes_of(data))
    data_record.refuse_other_data(workdir, record, ("train",))


def evaluate(workdir, data, chosen=False):
    store = load_images("own", data, ("test",), (8, 8))
    known = data_record.read_record(workdir)
    metadata = data_record.metadata_of(config_of(data))
    return _compare_data(workdir, known, metadata, store.identity.tolist(), chosen)


def test_the_record_says_whether_people_are_synthetic(run):
    assert data_record.read_record(run[0])["synthetic"] is False
    assert is_synthetic({"source": str(synthetic_source("regdb", 4, 0, "data"))})


def test_the_record_names_the_people_of_the_classes(run):
    workdir, data = run
    known = data_record.read_record(workdir)
    names = data_record.metadata_of(config_of(data))["identity_names"]
    assert known["classes"] == [names[str(number)] for number in classes_of(data)]
    assert set(known["records_sha256"]) == {"train", "test"}
    assert data_record.wide_range_of(workdir) == (0, 65535)


def test_the_same_data_are_taken_wherever_they_are(run, tmp_path):
    workdir, data = run
    moved = shutil.copytree(data, tmp_path / "elsewhere")
    resume(workdir, moved)
    assert evaluate(workdir, moved) == evaluate(workdir, moved, chosen=True) == {}


def test_other_people_in_their_place_are_refused_with_both_sides(run, tmp_path):
    workdir, data = run
    again(data, write_people(tmp_path / "others", tuple("stuvwxyz")))
    for error in (refused(resume, workdir, data), refused(evaluate, workdir, data)):
        assert error.about[0] == "records_sha256"
    error = refused(resume, workdir, data)
    assert error.about == ("records_sha256", "classes")
    assert set("stuvwxyz") & set(error.problems[1].text.partition("then")[2])


def test_a_picture_replaced_under_its_name_is_noticed(run, made, tmp_path):
    workdir, data = run
    people = shutil.copytree(made / "people", tmp_path / "people")
    for name in PEOPLE:
        noise(people / "visible" / name / "0.png", 77)
    again(data, people)
    assert refused(resume, workdir, data).about == ("records_sha256",)
    assert refused(evaluate, workdir, data).about == ("records_sha256", "records_sha256")


def test_people_that_were_trained_on_are_not_tested(run, made):
    workdir, data = run
    again(data, made / "people", seed=3)
    error = refused(evaluate, workdir, data)
    assert error.about == ("records_sha256", "records_sha256", "classes")
    known, names = data_record.read_record(workdir)["classes"], error.problems[2].text
    tested = load_images("own", data, ("test",), (8, 8)).identity
    by_number = data_record.metadata_of(config_of(data))["identity_names"]
    both = set(known) & {by_number[str(number)] for number in tested}
    assert both and all(name in names for name in both)


def test_data_that_were_asked_for_are_named_in_the_result(run, made):
    workdir, data = run
    again(data, made / "people", seed=3)
    about = evaluate(workdir, data, chosen=True)
    assert about["trained_on"]["dataset"] == "own" and about["trained_and_tested"] > 0
    title = marked_title({"protocol": "plain", "options": [], "data": {"dataset": "own", **about}})
    assert title == "plain (own, trained on other data (own))"


def test_a_run_without_a_record_is_taken_as_before(run, tmp_path):
    data_record.refuse_other_data(tmp_path, {}, ("train",))
    assert data_record.wide_range_of(tmp_path) == (0, 65535)


def test_a_choice_of_data_changes_only_the_data():
    config = config_of("data")
    assert not DataChoice().given
    changed = DataChoice("moved", "regdb", 3).apply(config)
    before, after = flatten(config), flatten(changed)
    differing = {name for name in before if before[name] != after[name]}
    assert differing == {"data.data_dir", "data.name", "data.trial"}
    assert config.data.data_dir == "data"


@pytest.mark.parametrize(
    ("choice", "about"),
    [
        (DataChoice(trial=2), "--trial"),
        (DataChoice(data="regdb", trial=11), "--trial"),
        (DataChoice(data="regbd"), "regbd"),
        (DataChoice("gs://bucket/data"), "--data_dir"),
    ],
)
def test_a_choice_that_is_none_is_refused(choice, about):
    assert refused(choice.apply, config_of("data")).about == (about,)


def started(tmp_path, config):
    (tmp_path / "config.json").write_text(json.dumps(flatten(config)))
    (tmp_path / "metrics.jsonl").write_text("{}\n")


def constant():
    config = ConfigDict(own_config.get_config("quick"))
    config.optim.schedule, config.optim.decay_at, config.mtl.start_step = "steps", (), 10
    config.train.steps = 40
    return config


@pytest.mark.parametrize(
    ("change", "allowed"),
    [
        ({"train.steps": 80}, True),
        ({"train.checkpoint_every": 1}, True),
        ({"train.log_every": 3}, True),
        ({"train.steps": 20}, False),
        ({"train.steps": 80, "seed": 1}, False),
        ({"train.eval_every": 5}, False),
    ],
)
def test_training_longer_or_saving_oftener_is_allowed_where_the_result_is_defined(
    tmp_path, change, allowed
):
    started(tmp_path, constant())
    config = constant()
    config.update_from_flattened_dict(change)
    if allowed:
        refuse_other_config(tmp_path, config)
    else:
        assert set(refused(refuse_other_config, tmp_path, config).about) == set(change)


@pytest.mark.parametrize(
    "field",
    [
        {"optim.decay_at": (0.5,)},
        {"optim.schedule": "cosine"},
        {"mtl.start_step": None},
        {"model.pretrained": ""},  # triplets begin after 60 % of the run
    ],
)
def test_steps_cannot_be_added_where_something_depends_on_their_number(tmp_path, field):
    first, longer = constant(), constant()
    for config in (first, longer):
        config.update_from_flattened_dict(field)
    longer.train.steps = 80
    started(tmp_path, first)
    error = refused(refuse_other_config, tmp_path, longer)
    assert error.about == ("train.steps",) and "init_from" in str(error)


def test_a_config_of_another_version_is_completed_or_refused(tmp_path):
    stored = flatten(constant())
    del stored["evaluation.flip"]
    (tmp_path / "config.json").write_text(json.dumps(stored))
    assert read_config(tmp_path)["evaluation.flip"] is False
    (tmp_path / "config.json").write_text(json.dumps(stored | {"model.heads_bias": True}))
    (tmp_path / "environment.json").write_text(json.dumps([{"dmcf_jax": "9.1"}]))
    error = refused(read_config, tmp_path)
    assert error.about == ("model.heads_bias",) and "9.1" in str(error)


@pytest.mark.parametrize(("people", "kept"), [(["a", "b"], True), (["b", "c"], False)])
def test_classifiers_of_other_people_start_fresh(monkeypatch, tmp_path, people, kept):
    named = {
        "params/heads_G1/classifier/bias": np.zeros(2),
        "params/heads_G1/classifier/kernel": np.zeros((3, 2)),
        "params/stem/kernel": np.zeros(1),
    }
    shapes = {}
    for name, value in named.items():
        branch = shapes
        *groups, last = name.split("/")
        for group in groups:
            branch = branch.setdefault(group, {})
        branch[last] = value
    monkeypatch.setattr("dmcf_jax.training.init_from._read", lambda path: shapes)
    (tmp_path / "data.json").write_text(json.dumps({"classes": ["a", "b"]}))
    given, notes = start_from(shapes, tmp_path, people)
    assert ("heads_G1" in given["params"]) == kept and len(notes) == (not kept)
    assert "stem" in given["params"]
