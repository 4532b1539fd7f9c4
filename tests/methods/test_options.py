"""Options of single methods: what they change in the loss or the network, against direct calls."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dmcf_jax.config.build import build, build_model, method_fields
from dmcf_jax.config.validate import validate
from dmcf_jax.configs import regdb
from dmcf_jax.errors import UserError
from dmcf_jax.methods import METHODS
from dmcf_jax.methods.losses.cross_modality_triplet import drawn_cross_triplet, hard_cross_triplet
from dmcf_jax.methods.losses.tone_contrastive import half_of_other_people, pair_contrastive
from dmcf_jax.methods.method import Context
from dmcf_jax.methods.network.two_streams import Outputs
from dmcf_jax.models.tree_paths import leaves_by_path

PEOPLE, IMAGES = 3, 2
LABELS = jnp.repeat(jnp.arange(PEOPLE), IMAGES)
SIDES = jnp.asarray(np.random.default_rng(0).normal(size=(2, len(LABELS), 5)), jnp.float32)


def logged(row, **changes):
    """Return what the loss of a row logs for `SIDES`."""
    config = regdb.get_config(row)
    config.update_from_flattened_dict({"sampler.K": IMAGES, "loss.triplet_start_step": 0} | changes)
    validate(config)
    loss = METHODS[row].trained.loss(method_fields(config), build_model(config, PEOPLE))
    rows = SIDES.transpose(1, 0, 2).reshape(-1, 5)
    outputs = Outputs({"G1": rows}, {"G1": rows[:, :PEOPLE]})
    outputs = (outputs, rows[:, :2]) if row == "cmgan" else outputs
    labels = jnp.repeat(LABELS, 2)
    return loss(outputs, labels, Context(jnp.asarray(0), {}, jax.random.key(0)))[1]


def test_cmgan_takes_the_hardest_or_the_drawn_rows():
    expected = {
        "hard": hard_cross_triplet(*SIDES, LABELS, 1.4),
        "random": drawn_cross_triplet(*SIDES, IMAGES, 1.4),
    }
    assert float(expected["hard"]) > 1.1 * float(expected["random"]) > 0
    for mining, value in expected.items():
        found = logged("cmgan", **{"loss.mining": mining})["triplet"]
        assert float(found) == pytest.approx(float(value), rel=1e-6)


@pytest.mark.parametrize("row", ["tone", "hcml"])
def test_tone_gives_length_1_to_rows_or_to_columns(row):
    partner, same = half_of_other_people(SIDES[1], LABELS)
    values = []
    for normalise in ("feature", "batch"):
        values.append(float(0.2 * pair_contrastive(SIDES[0], partner, same, 0.5, normalise)))
        found = logged(row, **{"loss.normalise": normalise})["contrastive"]
        assert float(found) == pytest.approx(values[-1], rel=1e-6)
    assert values[0] != pytest.approx(values[1], rel=0.05)


@pytest.mark.parametrize(
    ("row", "field", "value"),
    [
        ("bdtr", "loss.mining", "random"),
        ("bdtr", "loss.normalise", "batch"),
        ("gsm", "loss.softmax_scale", 9.0),
        ("gsm", "model.dropout", 0.5),
    ],
)
def test_methods_that_do_not_read_an_option_refuse_it(row, field, value):
    config = regdb.get_config(row)
    config.update_from_flattened_dict({field: value})
    with pytest.raises(UserError) as refused:
        validate(config)
    assert refused.value.about == (field,)


def test_gsm_has_no_classifier_since_its_loss_has_none():
    shapes = build(regdb.get_config("gsm"), identities=7).variable_shapes()
    heads = {name for name in leaves_by_path(shapes["params"]) if name.startswith("heads")}
    assert heads == {
        f"heads_G1/reduction/{name}" for name in ("conv/kernel", "conv/bias", "bn/scale", "bn/bias")
    }


def test_a_run_that_is_older_than_an_option_has_its_default():
    config = regdb.get_config("cmgan")
    with config.unlocked():
        del config.loss["mining"], config.model["backbone"]
    fields = method_fields(config)
    assert (fields["loss.mining"], fields["model.backbone"]) == ("hard", "resnet")
    assert fields["loss.margin"] == 1.4
