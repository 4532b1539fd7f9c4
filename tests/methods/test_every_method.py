"""Every method of table 1 on a small network: trains or fits, resumes, evaluates, embeds."""

import dataclasses

import jax
import numpy as np
import pytest
from PIL import Image

from dmcf_jax.config.build import load_split
from dmcf_jax.config.validate import validate
from dmcf_jax.configs import default, regdb, synthetic, sysu_mm01
from dmcf_jax.data.records.prepare_synthetic import prepare_synthetic
from dmcf_jax.errors import UserError
from dmcf_jax.evaluate import evaluate
from dmcf_jax.export.run import export_run
from dmcf_jax.methods import METHODS
from dmcf_jax.runs.load import load_trained
from dmcf_jax.search import SearchOptions, run_search
from dmcf_jax.train import train

pytestmark = pytest.mark.usefixtures("standard_promotion")
TRAINED = sorted(set(default.COMPARED) - set(default.MATCHERS))
# What makes the network of every row tiny; the rest is the row's own.
SMALL = {
    "data.size": (32, 32),
    "data.pad": 2,
    "model.stage_sizes": (1, 1, 1, 1),
    "model.levels": ("layer1",),
    "model.width": 2,
    "model.embedding_dim": 8,
    "sampler.P": 8,
    "sampler.K": 1,
    "train.steps": 4,
    "train.checkpoint_every": 2,
    "train.log_every": 1,
    "train.summary_people": 0,
}
SMALL_TRANSLATION = {"width": 2, "blocks": 0, "shrink": 4}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    prepare_synthetic("regdb", 16, 0, folder, trial="1")
    return str(folder)


def config_of(row, data_dir, **changes):
    config = regdb.get_config(row)
    small = SMALL if row in TRAINED else {"data.size": (40, 32), "train.summary_people": 0}
    if row == "dmcf_strong":
        small = small | {"model.stripes": (2,)}
    if row == "bdtr_alexnet":  # fc6 needs layer4's map and 3 x 3 positions
        small = {k: v for k, v in small.items() if k not in ("model.stage_sizes", "model.levels")}
        small["data.size"] = (64, 64)
    if row in ("mlapg", "xqda", "hcml"):
        small = small | {"fit.pca": 6}
    if row == "d2rl":
        small = small | {f"translation.{k}": v for k, v in SMALL_TRANSLATION.items()}
    config.update_from_flattened_dict(small | {"data.data_dir": data_dir} | changes)
    return config


def arrays(workdir):
    return jax.tree.map(np.asarray, load_trained(workdir).variables)


@pytest.mark.parametrize("data", [regdb, sysu_mm01, synthetic], ids=lambda m: m.__name__[-9:])
@pytest.mark.parametrize("row", ["", *default.VARIANTS])
def test_every_row_is_a_valid_config_of_a_known_method(data, row):
    config = data.get_config(row)
    validate(config)
    assert config.method.name in METHODS and config.variant == row


HEAVY = [pytest.param(row, marks=pytest.mark.slow) for row in ("lomo", "mlapg", "xqda")]


@pytest.mark.parametrize("row", ["hog", *HEAVY])
def test_matchers_run_like_networks(row, data_dir, tmp_path):
    config = config_of(row, data_dir)
    state = train(config, tmp_path)
    assert int(state.step) == 1
    rows = load_trained(tmp_path).embed(load_split(config, ("test",)))
    np.testing.assert_allclose((rows**2).sum(axis=1), 1.0, rtol=1e-5)
    assert len(np.unique(rows.round(6), axis=0)) > len(rows) // 2
    before = arrays(tmp_path)
    train(config, tmp_path)  # it is finished: nothing changes
    jax.tree.map(np.testing.assert_array_equal, before, arrays(tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("row", TRAINED)
def test_trained_methods_train_and_evaluate(row, data_dir, tmp_path):
    train(config_of(row, data_dir), tmp_path)
    assert [result["protocol"] for result in evaluate(tmp_path)] == [
        "regdb/visible-to-thermal",
        "regdb/thermal-to-visible",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("row", ["cmgan", "d2rl", "hcml", "bdtr_alexnet"])
def test_a_resumed_run_is_one_that_was_never_stopped(row, data_dir, tmp_path):
    """With turns of the groups, noise and dropout, and something fitted after the last step."""

    class Stopped(Exception):
        pass

    def stop(step, state):
        if step == 3:
            raise Stopped

    config = config_of(row, data_dir)
    train(config, tmp_path / "whole")
    with pytest.raises(Stopped):
        train(config, tmp_path / "stopped", on_step=stop)
    train(config, tmp_path / "stopped")
    whole, resumed = arrays(tmp_path / "whole"), arrays(tmp_path / "stopped")
    jax.tree.map(np.testing.assert_array_equal, whole, resumed)


def test_a_field_that_the_method_does_not_read_is_refused():
    config = regdb.get_config("bdtr")
    config.mtl.enabled = False
    config.loss.kind = "weighted"
    with pytest.raises(UserError) as refused:
        validate(config)
    assert {problem.about for problem in refused.value.problems} == {"mtl.enabled", "loss.kind"}
    config = regdb.get_config("hog")
    config.train.steps, config.sampler.P, config.data.flip = 10, 4, 0.1
    with pytest.raises(UserError) as refused:
        validate(config)
    about = {problem.about for problem in refused.value.problems}
    assert about == {"train.steps", "sampler.P", "data.flip"}


def test_equal_pictures_of_both_modalities_are_found_by_matchers(data_dir, tmp_path):
    config = config_of("hog", data_dir)
    train(config, tmp_path)
    trained = load_trained(tmp_path)
    store = load_split(config, ("test",))
    rows = trained.embed(store)
    other = dataclasses.replace(store, modality=1 - store.modality)
    np.testing.assert_allclose(trained.embed(other), rows, atol=1e-6)


@pytest.mark.slow
def test_a_matcher_is_written_as_stablehlo_and_refused_as_torch(data_dir, tmp_path):
    train(config_of("hog", data_dir), tmp_path)
    assert export_run(tmp_path, "stablehlo").exists()  # it is read back and compared
    with pytest.raises(UserError) as refused:
        export_run(tmp_path, "torch")
    assert "method.name" in {problem.about for problem in refused.value.problems}
    assert not (tmp_path / "export" / "torch").exists()


@pytest.mark.slow
def test_a_fitted_metric_refuses_a_search_within_one_modality(data_dir, tmp_path):
    train(config_of("mlapg", data_dir), tmp_path / "run")
    query = str(tmp_path / "query.png")
    Image.fromarray(np.full((40, 32, 3), np.arange(32)[:, None], np.uint8)).save(query)
    options = SearchOptions(
        str(tmp_path / "run"), query, query, query_modality="visible", gallery_modality="visible"
    )
    with pytest.raises(UserError) as refused:
        run_search(options)
    assert refused.value.about == ("--gallery",)
    other = dataclasses.replace(options, gallery_modality="infrared")
    assert len(run_search(other)["results"][0]["matches"]) == 1
