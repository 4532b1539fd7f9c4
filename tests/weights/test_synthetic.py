"""The weights in the package: complete, described, and a start for the networks that they fit."""

import hashlib
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors import safe_open

from dmcf_jax.config.build import build
from dmcf_jax.config.validate import flatten
from dmcf_jax.configs import synthetic as demo
from dmcf_jax.errors import UserError
from dmcf_jax.models.tree_paths import leaves_by_path
from dmcf_jax.retrieval.model import load_model
from dmcf_jax.training.init_from import overlay
from dmcf_jax.training.start import _given_weights
from dmcf_jax.weights import synthetic
from dmcf_jax.weights.read import read_weights


@pytest.fixture(scope="module")
def built():
    return build(demo.get_config(), 5)


def test_the_file_says_how_it_was_made():
    with safe_open(synthetic.FILE, "np") as file:
        facts = file.metadata()
    assert {"command", "config", "date", "git_commit", "sha256_of_tensors"} <= set(facts)
    assert set(synthetic.NEEDED) <= set(json.loads(facts["config"]))


def test_the_tensors_have_the_hash_of_the_metadata():
    with safe_open(synthetic.FILE, "np") as file:
        names = sorted(file.keys())
        content = b"".join(name.encode() + file.get_tensor(name).tobytes() for name in names)
        expected = file.metadata()["sha256_of_tensors"]
    assert hashlib.sha256(content).hexdigest() == expected


def test_it_is_small_and_finite():
    tensors = read_weights(synthetic.FILE)
    assert all(np.all(np.isfinite(value)) for value in tensors.values())
    assert synthetic.FILE.stat().st_size < 4e6
    assert "layer4.0.conv3.weight" in tensors


def test_everything_but_classifiers_and_sigmas_is_given(built):
    shapes = built.variable_shapes()
    given = leaves_by_path(_given_weights(demo.get_config(), built, shapes))
    expected = leaves_by_path(shapes)
    assert {name: value.shape for name, value in given.items()} == {
        name: leaf.shape
        for name, leaf in expected.items()
        if "classifier" not in name and "log_variance" not in name
    }


@pytest.mark.slow
def test_a_forward_pass_is_finite(built):
    shapes = built.variable_shapes()
    given = _given_weights(demo.get_config(), built, shapes)
    blank = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
    images = jax.random.normal(jax.random.key(0), (4, 96, 48, 3))
    variables = jax.tree.map(jnp.asarray, overlay(blank, given))
    rows = built.model.apply(variables, images, "infrared", method="embed")
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-5)
    assert np.std(rows, axis=0).max() > 0.01  # different images have different embeddings


def test_other_divisions_take_the_features_they_have_in_common():
    config = demo.get_config("feature_3_4")  # its G1 is the pretraining's G2
    built = build(config, 5)
    given = _given_weights(config, built, built.variable_shapes())["params"]
    other = synthetic.load_synthetic()["params"]
    for ours, theirs in (("heads_G1", "heads_G2"), ("heads_R5", "heads_R5")):
        ours, theirs = (
            tree[name]["reduction"]["conv"]["kernel"]
            for tree, name in ((given, ours), (other, theirs))
        )
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("field", "value"),
    [("model.width", 32), ("model.stage_sizes", (2, 1, 1, 1)), ("data.input", "rgb")],
)
def test_a_field_that_does_not_fit_is_refused_by_name(field, value):
    config = demo.get_config()
    config.update_from_flattened_dict({field: value})
    with pytest.raises(UserError) as refusal:
        synthetic.refuse_other_networks(flatten(config))
    assert [problem.about for problem in refusal.value.problems] == [field]


@pytest.mark.slow
def test_the_packaged_network_embeds_without_a_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where no folder is called synthetic
    draw = np.random.default_rng(0)
    images = [draw.integers(0, 256, (96, 48, 3), np.uint8) for _ in range(3)]
    embeddings = load_model("synthetic").embed(images, "infrared")
    assert embeddings.shape == (3, 8 * 64)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1.0, rtol=1e-5)
