"""A run's folder for the hub: what is in it, and that it comes back wherever a model is named.

The embeddings that are compared are those of the run.
"""

import hashlib
import json
import shutil

import jax
import numpy as np
import pytest
from support import tiny
from support.shared_model import PEOPLE, STEP, THRESHOLDS, shared_folder, tiny_run

from dmcf_jax.errors import UserError
from dmcf_jax.evaluate import _compare_data, _folder_of, _load
from dmcf_jax.export.hub.layout import FILES, NOT_SHARED
from dmcf_jax.export.hub.read import open_shared, read_shared
from dmcf_jax.export.hub.share import refuse_hub_flags, share_run
from dmcf_jax.export.hub.write import export_hub
from dmcf_jax.models.initial import variable_shapes
from dmcf_jax.retrieval.model import load_model, model_of
from dmcf_jax.training.init_from import start_from


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Return a tiny model and its folder, which no test changes."""
    return shared_folder(tmp_path_factory.mktemp("shared"))


def refused(function, *arguments, **options):
    with pytest.raises(UserError) as error:
        function(*arguments, **options)
    return error.value


def test_a_shared_model_embeds_bit_for_bit_as_its_run(written):
    trained, folder = written
    images = np.random.default_rng(0).integers(0, 256, (3, 40, 30, 3), np.uint8)
    run, shared = model_of(trained, "run"), load_model(folder)
    assert shared.fingerprint == run.fingerprint and shared.trained.step == STEP
    assert shared.thresholds == run.thresholds == THRESHOLDS
    for modality in ("visible", "infrared"):
        expected = run.embed(images, modality)
        np.testing.assert_array_equal(shared.embed(images, modality), expected)
    assert np.abs(run.embed(images, "visible") - run.embed(images, "infrared")).max() > 1e-3


def test_the_folder_names_no_person_and_no_place(written):
    _, folder = written
    assert sorted(each.name for each in folder.iterdir()) == sorted(FILES)
    text = b"".join(each.read_bytes() for each in folder.iterdir()).decode("latin-1")
    assert not [word for word in (*PEOPLE, "somebody", "/secret") if f'"{word}' in text]
    assert "/secret" not in text and str(folder.parent) not in text
    config = json.loads((folder / "config.json").read_text())["config"]
    assert not set(config) & set(NOT_SHARED)
    assert config["model.width"] == 4 and config["data.size"] == [32, 32]


def test_metrics_have_hashes_data_and_the_results_of_this_checkpoint(written):
    _, folder = written
    metrics = json.loads((folder / "metrics.json").read_text())
    for name, digest in metrics["sha256"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert metrics["trained_on"]["records_sha256"] == {"train": "a" * 64, "test": "b" * 64}
    assert metrics["trained_on"]["people"] == 3 and metrics["started_from"].endswith("called run")
    (result,) = metrics["results"]
    assert result["protocol"] == "regdb/visible-to-thermal"
    assert result["mean"]["cmc"]["1"] == 0.51 and result["checkpoint"]["step"] == STEP


def test_the_card_says_what_was_seen_and_measured(written, tmp_path):
    card = (written[1] / "README.md").read_text()
    front, body = card.split("---\n")[1:3]
    assert "library_name: dmcf_jax\n" in front and "license: other\n" in front
    assert "pipeline_tag: image-feature-extraction\n" in front and '"synthetic-data"' in front
    assert "Synthetic people" in body and "3 people" in body and "| 51.00 |" in body
    run = tmp_path / "run"
    trained = tiny_run(run)
    (run / "data.json").unlink()
    shutil.rmtree(run / "evaluation")
    export_hub(trained, run, tmp_path / "hub", repository="owner/name")
    card = (tmp_path / "hub/README.md").read_text()
    assert "not known" in card and "Nothing was measured" in card and "hf://owner/name" in card
    assert "license: other\n" in card and "license_link: LICENSE\n" in card


@pytest.mark.parametrize(
    ("start", "licence"),
    [("", "apache-2.0"), ("synthetic", "other"), ("hf://owner/name", "other")],
)
def test_only_weights_of_own_people_from_the_start_get_a_licence_by_themselves(
    tmp_path, start, licence
):
    trained = tiny_run(tmp_path / "run", start)  # a run called synthetic is not the package's
    export_hub(trained, tmp_path / "run", tmp_path / "hub")
    assert f"license: {licence}\n" in (tmp_path / "hub/README.md").read_text()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"synthetic": False, "official": True}, "RegDB, trial 1, with the published"),
        ({"synthetic": False}, "without its published counts"),
        ({"dataset": "own", "trial": None, "synthetic": False}, "not public"),
    ],
)
def test_real_data_are_named_and_get_no_licence(tmp_path, change, text):
    trained = tiny_run(tmp_path / "run", "")
    path = tmp_path / "run/data.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    export_hub(trained, tmp_path / "run", tmp_path / "hub")
    card = (tmp_path / "hub/README.md").read_text()
    assert text in card and "license: other\n" in card and "ynthetic" not in card


def test_an_export_replaces_its_own_folder_whole_and_no_other(written, tmp_path):
    trained, folder = written
    run, place = folder.parent / "run", tmp_path / "hub"
    export_hub(trained, run, place)
    (place / "config.json").write_text("damaged")
    export_hub(trained, run, place, licence="cc-by-nc-4.0")
    assert read_shared(place) and "license: cc-by-nc-4.0\n" in (place / "README.md").read_text()
    (place / "notes.txt").write_text("mine")
    assert refused(export_hub, trained, run, place).about == (str(place),)
    assert (place / "notes.txt").exists()
    error = refused(export_hub, trained, run, tmp_path / "new", licence="My Licence\n")
    assert error.about == ("--license",)
    assert [each.name for each in tmp_path.iterdir()] == ["hub"]


def test_a_failed_export_leaves_nothing_and_the_old_folder(written, tmp_path, monkeypatch):
    trained, folder = written
    run, place = folder.parent / "run", tmp_path / "hub"
    export_hub(trained, run, place)
    before = {each.name: each.read_bytes() for each in place.iterdir()}

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dmcf_jax.export.hub.write.metrics_content", full)
    assert refused(export_hub, trained, run, place).about == (str(place),)
    assert {each.name: each.read_bytes() for each in place.iterdir()} == before
    assert [each.name for each in tmp_path.iterdir()] == ["hub"]


def test_a_folder_that_reads_back_other_numbers_is_refused(written, tmp_path, monkeypatch):
    trained, folder = written
    other = read_shared(folder)
    other.trained.variables["params"]["log_variance"] += 1
    monkeypatch.setattr("dmcf_jax.export.hub.write.read_shared", lambda path: other)
    refused(export_hub, trained, folder.parent / "run", tmp_path / "hub")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("people", [PEOPLE, ("dan", "eve", "flo")])
def test_a_new_run_starts_from_a_shared_model(written, people):
    trained, folder = written
    shapes = variable_shapes(trained.model, (32, 32))
    given, notes = start_from(shapes, folder, people)
    classifiers = [name for name in given["params"] if name.startswith("heads")]
    kept = ["classifier" in given["params"][name] for name in classifiers]
    assert all(kept) == (people == PEOPLE) and len(notes) == (0 if people == PEOPLE else len(kept))
    stream = jax.tree.map(
        np.array_equal, given["params"]["shared"], trained.variables["params"]["shared"]
    )
    assert all(jax.tree.leaves(stream))


def test_another_network_does_not_start_from_it(written):
    other = tiny.model(tiny.ONE_LEVEL | {"model.width": 8})
    error = refused(start_from, variable_shapes(other.model, (32, 32)), written[1])
    assert "params/visible/bn1/scale" in error.about


def test_an_evaluation_knows_the_data_of_a_shared_model(written, tmp_path):
    trained, known = _load(written[1], None, False)
    assert trained.step == STEP and known["people"] == 3
    same = {"dataset": "regdb", "records_sha256": known["records_sha256"]}
    assert _compare_data("m", known, same, [1, 2], chosen=False) == {}
    other = {"dataset": "regdb", "records_sha256": {"train": "c" * 64, "test": "d" * 64}}
    error = refused(_compare_data, "m", known, other, [1, 2], chosen=False)
    assert error.about == ("records_sha256", "records_sha256")
    said = _compare_data("m", known, other, [1, 2], chosen=True)
    assert said["trained_on"]["records_sha256"] == known["records_sha256"]
    assert "trained_and_tested" not in said  # it does not name its people
    result = {"data": said}
    assert _folder_of(result, written[1], None) is None
    assert _folder_of(result, written[1], tmp_path) == tmp_path


def test_flags_that_mean_nothing_are_refused(written, tmp_path):
    assert refused(open_shared, written[1], step=3).about == ("--step",)
    assert refused(load_model, written[1], best=True).about == ("--best",)
    assert refused(_load, "synthetic", 3, False).about == ("--step",)
    assert refused(load_model, "synthetic", step=3).about == ("--step",)
    assert refused(share_run, tmp_path, public=True).about == ("--public",)
    assert refused(share_run, tmp_path, repository="../x").about == ("--push",)
    refuse_hub_flags("onnx", {"push": None, "public": False})
    error = refused(refuse_hub_flags, "onnx", {"push": "a/b", "public": True})
    assert error.about == ("--push", "--public")
