"""Batches with two views of each visible image: labels of the rows, and who refuses them."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn

from dmcf_jax.config.validate import validate
from dmcf_jax.configs import regdb
from dmcf_jax.data.augment import Augmentation
from dmcf_jax.data.identity_sampler import PairBatch
from dmcf_jax.errors import UserError
from dmcf_jax.methods.network.interleave import interleave
from dmcf_jax.methods.train_state import make_state
from dmcf_jax.methods.train_step import make_train_step

pytestmark = pytest.mark.usefixtures("standard_promotion")


class Levels(nn.Module):
    """The mean grey of each row, times a weight."""

    @nn.compact
    def __call__(self, visible, infrared, train):
        weight = self.param("weight", nn.initializers.ones, ())
        return weight * interleave(visible, infrared).mean((1, 2, 3))


@pytest.mark.parametrize(("views", "rows"), [("one", 2), ("channels", 3)])
def test_each_row_has_the_label_of_its_picture(views, rows):
    """Each person has one grey level, visible or infrared, which normalising keeps in order."""
    labels = np.array([3, 0, 2, 1])
    greys = (50 * labels + 20).astype(np.uint8)[:, None, None, None] * np.ones((4, 4, 3), np.uint8)
    seen = []

    def loss(outputs, found, context):
        jax.debug.callback(lambda *both: seen.append(both), outputs, found)
        return jnp.sum(outputs), {}

    sgd, blank = optax.sgd(0.0), jnp.zeros((1, 4, 4, 3))
    step = make_train_step(Levels(), loss, sgd, {}, Augmentation(views=views))
    state = make_state(dict(Levels().init(jax.random.key(0), blank, blank, True)), sgd)
    batch = PairBatch(jnp.asarray(greys), jnp.asarray(greys), jnp.asarray(labels))
    jax.block_until_ready(jax.jit(step)(state, batch, jax.random.key(0)))
    jax.effects_barrier()
    values, found = seen[0]
    np.testing.assert_array_equal(found, np.repeat(labels, rows))
    by_label = [sorted(values[np.asarray(found) == label]) for label in range(4)]
    assert all(low[-1] < high[0] for low, high in zip(by_label, by_label[1:], strict=False))


@pytest.mark.parametrize(
    ("row", "changes", "about"),
    [
        ("bdtr", {}, "data.views"),
        ("cmgan", {}, "data.views"),
        ("hog", {}, "data.views"),
        ("agw", {"loss.kind": "contrastive"}, "loss.kind"),
        ("hctri", {}, "loss.kind"),
    ],
)
def test_losses_of_pairs_refuse_a_second_view(row, changes, about):
    config = regdb.get_config(row)
    config.update_from_flattened_dict({"data.views": "channels"} | changes)
    with pytest.raises(UserError) as refused:
        validate(config)
    assert {problem.about for problem in refused.value.problems} == {about}


@pytest.mark.parametrize("row", ["", "agw", "baseline_2019"])
def test_losses_of_rows_take_it(row):
    config = regdb.get_config(row)
    config.data.views = "channels"
    validate(config)
