"""Fields of a network with another backbone: what it does not read, and what does not fit."""

import pytest

from dmcf_jax.config.build import build_model
from dmcf_jax.config.validate import validate
from dmcf_jax.configs import regdb
from dmcf_jax.errors import UserError
from dmcf_jax.methods.network.two_streams import has_levels


def refused(changes, row="bdtr_alexnet"):
    config = regdb.get_config(row)
    config.update_from_flattened_dict(changes)
    with pytest.raises(UserError) as caught:
        validate(config)
    return caught.value.about


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model.stage_sizes", (1, 1, 1, 1)),
        ("model.last_stride", 1),
        ("model.remat", True),
        ("model.non_local", (0, 2, 3, 0)),
        ("model.reduce_global", False),
        ("model.levels", ("layer3",)),
        ("model.stripes", (2,)),
        ("model.backbone", "resnet"),
        ("model.backbone", "vgg"),
        ("model.head", "hidden"),  # its dropout would have no effect
        ("data.size", (227, 62)),
    ],
)
def test_what_does_not_fit_an_alexnet_is_named(field, value):
    about = {"model.stripes": "model.levels", "model.head": "model.dropout"}.get(field, field)
    about = "model.pool" if value == "resnet" else about
    assert refused({field: value}) == (about,)


def test_dmcf_may_have_alexnets_stages_but_not_its_linear_layer():
    config = regdb.get_config()
    config.model.backbone = "alexnet"
    validate(config)
    # 2 x 1 positions from layer1 on, and three stripes on layer4.
    small = {"model.backbone": "alexnet", "data.size": (48, 32)}
    assert refused(small, "") == ("model.stripes",)
    assert set(refused({"model.pool": "fc6"}, "")) == {"model.pool", "model.levels"}
    assert refused({"model.dropout": 0.5}, "") == ("model.dropout",)


def test_an_embedding_behind_fc6_is_no_sum_over_levels():
    rows = {
        row: has_levels(build_model(regdb.get_config(row), 3)) for row in ("bdtr_alexnet", "bdtr")
    }
    assert rows == {"bdtr_alexnet": False, "bdtr": True}
