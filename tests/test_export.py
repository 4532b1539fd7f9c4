"""Exports against the model that they come from, and the way back into a new run.

Truth: the run's own network; for resizing, Pillow.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from configs.default import get_config
from dmcf_jax import from_config
from dmcf_jax.data.augment import normalise
from dmcf_jax.errors import UserError
from dmcf_jax.export import export_stablehlo, load_exported, resize
from dmcf_jax.export_torch import export_torch, read_export
from dmcf_jax.init_from import start_from
from dmcf_jax.models.initial import variable_shapes
from dmcf_jax.trained import TrainedModel


def make_trained(identities=3, **model_fields):
    config = get_config()
    config.data.size = (96, 48)
    small = {"stage_sizes": (1, 1, 1, 1), "width": 4, "embedding_dim": 8}
    config.model.update(small | model_fields)
    model = from_config.build_model(config, identities)
    draw = np.random.default_rng(0)
    shapes = variable_shapes(model, (96, 48))
    variables = jax.tree.map(lambda leaf: draw.uniform(0.1, 0.5, leaf.shape), shapes)
    variables = jax.tree.map(lambda leaf: leaf.astype(np.float32), variables)
    variables["params"] = jax.tree.map(lambda leaf: leaf - 0.3, variables["params"])
    return TrainedModel(config, model, variables, 0, "last")


@pytest.mark.parametrize("modality", ["visible", "infrared"])
def test_the_stablehlo_file_embeds_as_the_run(tmp_path, modality, exported):
    trained, path = exported
    images = np.random.default_rng(1).integers(0, 256, (5, 96, 48, 3), np.uint8)
    expected = jax.jit(lambda v, x: trained.model.apply(v, normalise(x), modality, method="embed"))(
        trained.variables, images
    )
    np.testing.assert_allclose(load_exported(path)(images, modality), expected, atol=1e-4)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    trained = make_trained()
    path = tmp_path_factory.mktemp("export") / "a.zip"
    export_stablehlo(trained, path, from_config.build_model(trained.config, 3, form="library"))
    return trained, path


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


@pytest.mark.parametrize("shared_from", [None, "layer3"])
def test_the_torch_export_comes_back_number_for_number(tmp_path, shared_from):
    trained = make_trained(shared_from=shared_from)
    export_torch(trained.model, trained.variables, tmp_path)
    jax.tree.map(np.testing.assert_array_equal, read_export(tmp_path), trained.variables)


def test_a_new_run_takes_all_but_classifiers_of_other_identities(tmp_path):
    trained = make_trained(identities=3)
    export_torch(trained.model, trained.variables, tmp_path)
    shapes = variable_shapes(make_trained(identities=5).model, (96, 48))
    given, notes = start_from(shapes, tmp_path)
    assert len(notes) == 8
    assert "for 5 identities instead of 3" in notes[0]
    assert "classifier" not in given["params"]["heads_R5"]
    kept = trained.variables["params"]["heads_R5"]["reduction"]
    jax.tree.map(np.testing.assert_array_equal, given["params"]["heads_R5"]["reduction"], kept)
    same, no_notes = start_from(variable_shapes(trained.model, (96, 48)), tmp_path)
    assert no_notes == []
    assert jax.tree.structure(same) == jax.tree.structure(trained.variables)


def test_another_network_is_refused(tmp_path):
    trained = make_trained()
    export_torch(trained.model, trained.variables, tmp_path)
    other = variable_shapes(make_trained(width=8).model, (96, 48))
    with pytest.raises(UserError, match="wrong shape: .* is .4,., expected .8,."):
        start_from(other, tmp_path)
    with pytest.raises(UserError, match="neither a workdir"):
        start_from(other, tmp_path / "nothing")
