"""Exports against the model that they come from, and the way back into a new run.

Truth: the run's own network; for resizing, Pillow.
"""

import dataclasses
import io
import json
import sys
import zipfile

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export as jax_export
from PIL import Image
from safetensors import safe_open
from support import tiny

from dmcf_jax.data.prepare_input import normalise
from dmcf_jax.errors import UserError
from dmcf_jax.export.embed_function import make_embed, resize
from dmcf_jax.export.onnx import export_onnx, float32_model, load_onnx, require_converter
from dmcf_jax.export.stablehlo import export_stablehlo, load_exported
from dmcf_jax.export.torch import export_torch, read_export
from dmcf_jax.export.verify import TOLERANCE, verify
from dmcf_jax.modality import MODALITIES
from dmcf_jax.models.initial import variable_shapes
from dmcf_jax.models.tree_paths import leaves_by_path
from dmcf_jax.retrieval.model import load_model
from dmcf_jax.runtime.files import atomic_path
from dmcf_jax.training.init_from import start_from

THRESHOLDS = {"group": "held-out people", "people": 3, "pairs": {}}
PAPERS = {**tiny.PAPERS_LEVELS, "model.shared_from": None}


@pytest.mark.slow
@pytest.mark.parametrize("modality", ["visible", "infrared"])
def test_the_stablehlo_file_embeds_as_the_run(tmp_path, modality, exported):
    trained, path = exported
    images = np.random.default_rng(1).integers(0, 256, (5, 96, 48, 3), np.uint8)
    expected = jax.jit(lambda v, x: trained.model.apply(v, normalise(x), modality, method="embed"))(
        trained.variables, images
    )
    np.testing.assert_allclose(load_exported(path)(images, modality), expected, atol=1e-4)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.slow
def test_the_stablehlo_file_holds_the_thresholds_of_the_run(exported):
    assert load_model(exported[1]).thresholds == THRESHOLDS


@pytest.mark.slow
def test_the_stablehlo_file_is_for_three_platforms_and_any_batch_and_size(exported):
    with zipfile.ZipFile(exported[1]) as archive:
        function = jax_export.deserialize(bytearray(archive.read("infrared.stablehlo")))
    assert function.platforms == ("cpu", "cuda", "tpu")
    assert str(function.in_avals[-1].shape) == "(b, h, w, 3)"


@pytest.mark.parametrize("error", [UserError("it embeds otherwise"), OSError(28, "No space left")])
def test_a_refused_or_broken_file_is_not_left_behind(tmp_path, error):
    with pytest.raises(UserError, match="embeds otherwise|No space left. Name another place"):
        with atomic_path(tmp_path / "export" / "a.zip", "Name another place with --out.") as place:
            place.write_text("half")
            raise error
    assert list((tmp_path / "export").iterdir()) == []


def test_all_three_batch_sizes_are_verified(monkeypatch):
    def brightness(images, modality):
        asked.append(images.shape[0])
        return jnp.asarray(images, jnp.float32).mean((1, 2)) + float(images.shape[0] == 8)

    asked, trained = [], tiny.model({"data.size": (96, 48)})
    truth = lambda weights, images: images.astype(jnp.float32).mean((1, 2))  # noqa: E731
    monkeypatch.setattr("dmcf_jax.export.verify.make_embed", lambda *_: truth)
    with pytest.raises(UserError) as caught:
        verify(brightness, trained, trained.model)
    assert caught.value.about == ("8 visible images",)
    assert asked == [1, 3, 8]


@pytest.mark.slow
@pytest.mark.usefixtures("standard_promotion")
def test_the_tolerance_of_bfloat16_covers_its_rounding():
    trained = tiny.model({"data.size": (96, 48), "dtype": "bfloat16"})
    images = np.random.default_rng(1).integers(0, 256, (3, 96, 48, 3), np.uint8)
    one, other = (
        jax.jit(make_embed(trained, trained.model.clone(conv_impl=conv_impl), "visible"))(
            leaves_by_path(trained.variables), images
        )
        for conv_impl in ("xla", "matmul")
    )
    assert 0 < np.abs(one - other).max() <= TOLERANCE["bfloat16"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda path: path.unlink(), "No such file"),
        (lambda path: path.write_bytes(path.read_bytes()[:5000]), "not a zip file"),
        (lambda path: path.write_bytes(b""), "not a zip file"),
        (lambda path: zipfile.ZipFile(path, "w").close(), "no item named 'weights"),
        (lambda path: path.write_bytes(flip_a_byte(path.read_bytes())), "CRC"),
        (lambda path: replace_weights(path), "[Hh]eader"),
    ],
)
def test_a_damaged_export_is_reported(tmp_path, exported, damage, reason):
    path = tmp_path / "a.zip"
    path.write_bytes(exported[1].read_bytes())
    damage(path)
    with pytest.raises(UserError, match=reason) as caught:
        load_exported(path)
    assert caught.value.about == (str(path),)


def replace_weights(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("weights.safetensors", b"<html>404</html>")


def flip_a_byte(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        place = archive.getinfo("weights.safetensors").header_offset + 5000
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


@pytest.mark.slow
def test_an_exported_run_refuses_other_input(exported):
    embed, images = load_exported(exported[1]), np.zeros((2, 96, 48, 3), np.uint8)
    with pytest.raises(UserError, match="visible, infrared") as caught:
        embed(images, "thermal")
    assert caught.value.about == ("modality",)
    for other in (images.astype(np.float32), images[0]):
        with pytest.raises(UserError) as caught:
            embed(other, "visible")
        assert caught.value.about == ("images",)
        assert str(other.dtype) in str(caught.value) and str(other.shape) in str(caught.value)


def test_onnx_without_its_packages_says_how_to_get_them(monkeypatch):
    monkeypatch.setitem(sys.modules, "jax2onnx", None)
    with pytest.raises(UserError, match="(?s)jax2onnx.*pip install --no-deps jax2onnx==") as caught:
        require_converter()
    assert caught.value.about == ("--format",)


@pytest.mark.onnx
@pytest.mark.filterwarnings("ignore")
def test_the_onnx_files_embed_as_the_run(tmp_path):
    trained = tiny.model({"data.size": (96, 48)})
    export_onnx(trained, tmp_path)
    places = {name: tmp_path / f"{name}.onnx" for name in MODALITIES}
    assert sorted(tmp_path.iterdir()) == sorted(places.values())
    embed, network = load_onnx(places), float32_model(trained)
    images = np.random.default_rng(1).integers(0, 256, (5, 96, 48, 3), np.uint8)
    weights = leaves_by_path(trained.variables)
    for modality in places:
        expected = jax.jit(make_embed(trained, network, modality))(weights, images)
        np.testing.assert_allclose(embed(images, modality), expected, atol=1e-4)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    trained = dataclasses.replace(tiny.model({"data.size": (96, 48)}), thresholds=THRESHOLDS)
    path = tmp_path_factory.mktemp("export") / "a.zip"
    export_stablehlo(trained, path)
    return trained, path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "pillow"),
    [("lanczos3", Image.Resampling.LANCZOS), ("linear", Image.Resampling.BILINEAR)],
)
@pytest.mark.parametrize("size", [(40, 31), (130, 70), (96, 48)])
def test_resizing_is_pillows_up_to_a_grey_level(method, pillow, size):
    images = np.random.default_rng(2).integers(0, 256, (1, *size, 3), np.uint8)
    expected = np.asarray(Image.fromarray(images[0]).resize((48, 96), pillow))
    found = np.asarray(resize(jnp.asarray(images), (96, 48), method))[0]
    assert np.abs(found.astype(int) - expected.astype(int)).max() <= 1


@pytest.mark.parametrize("known", [None, THRESHOLDS])
def test_the_torch_export_names_the_thresholds_of_the_run(tmp_path, known):
    export_torch(dataclasses.replace(tiny.model(PAPERS), thresholds=known), tmp_path)
    for file in tmp_path.glob("*.safetensors"):
        with safe_open(file, "np") as opened:
            assert json.loads(opened.metadata()["thresholds"]) == known


@pytest.mark.parametrize("shared_from", [None, "layer3"])
def test_the_torch_export_comes_back_number_for_number(tmp_path, shared_from):
    trained = tiny.model(PAPERS | {"model.shared_from": shared_from})
    export_torch(trained, tmp_path)
    jax.tree.map(np.testing.assert_array_equal, read_export(tmp_path), trained.variables)


def test_a_new_run_takes_all_but_classifiers_of_other_identities(tmp_path):
    trained = tiny.model(PAPERS, identities=3)
    export_torch(trained, tmp_path)
    shapes = variable_shapes(tiny.model(PAPERS, identities=5).model, (96, 48))
    given, notes = start_from(shapes, tmp_path)
    assert len(notes) == 8
    assert "for 5 identities instead of 3" in notes[0]
    assert "classifier" not in given["params"]["heads_R5"]
    kept = trained.variables["params"]["heads_R5"]["reduction"]
    jax.tree.map(np.testing.assert_array_equal, given["params"]["heads_R5"]["reduction"], kept)
    same, no_notes = start_from(variable_shapes(trained.model, (96, 48)), tmp_path)
    assert no_notes == []
    assert jax.tree.structure(same) == jax.tree.structure(trained.variables)


@pytest.mark.slow
def test_a_stablehlo_export_starts_a_run_too(exported):
    trained, path = exported
    given, notes = start_from(variable_shapes(trained.model, (96, 48)), path)
    assert notes == []
    jax.tree.map(np.testing.assert_array_equal, given, trained.variables)


def test_another_network_is_refused(tmp_path):
    trained = tiny.model(PAPERS)
    export_torch(trained, tmp_path)
    other = variable_shapes(tiny.model(PAPERS | {"model.width": 8}).model, (96, 48))
    with pytest.raises(UserError) as caught:
        start_from(other, tmp_path)
    texts = {problem.about: problem.text for problem in caught.value.problems}
    assert (
        "(4,)" in texts["params/visible/bn1/scale"] and "(8,)" in texts["params/visible/bn1/scale"]
    )
    assert set(texts) < set(leaves_by_path(other))  # biases of classifiers fit
    with pytest.raises(UserError, match="neither a workdir"):
        start_from(other, tmp_path / "nothing")


def test_a_torch_export_that_reads_back_other_numbers_is_refused(tmp_path, monkeypatch):
    def damaged(folder):
        variables = read_export(folder)
        variables["params"]["log_variance"] = variables["params"]["log_variance"] + 1
        return variables

    monkeypatch.setattr("dmcf_jax.export.torch.read_export", damaged)
    with pytest.raises(UserError) as caught:
        export_torch(tiny.model(PAPERS), tmp_path)
    assert caught.value.about == (str(tmp_path),)
