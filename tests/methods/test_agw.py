"""The losses and learning rates of `agw`, `hctri` and `strong` against literal loops."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import tiny

from dmcf_jax.config.build import build, method_fields
from dmcf_jax.config.validate import flatten
from dmcf_jax.configs import llcm, regdb, sysu_mm01
from dmcf_jax.data.datasets.llcm import PUBLISHED
from dmcf_jax.methods import METHODS
from dmcf_jax.methods.method import Context
from dmcf_jax.methods.network.two_streams import Outputs

pytestmark = pytest.mark.usefixtures("standard_promotion")
PEOPLE, IMAGES, CLASSES = 3, 2, 5
LABELS = np.repeat([4, 0, 2], 2 * IMAGES)  # interleaved rows: visible, infrared, visible, ...
SMALL = {"sampler.P": PEOPLE, "sampler.K": IMAGES}


def outputs(features, seed=0):
    draw = np.random.default_rng(seed)
    made: list[Any] = [
        {name: draw.normal(size=(len(LABELS), size)).astype(np.float32) for name in features}
        for size in (3, CLASSES)
    ]
    return Outputs(*made)


def loss_of(row, features, changes, step=0):
    """Return total and parts of a row's loss on `outputs(features)`."""
    config = tiny.config(SMALL | changes, variant=row)
    built = build(config, CLASSES)
    assert [feature.name for feature in built.model.features] == features
    trained = METHODS[config.method.name].trained
    assert trained is not None
    loss = trained.loss(method_fields(config), built.model)
    context = Context(jnp.int32(step), {}, jax.random.key(0))
    given = jax.tree.map(jnp.asarray, outputs(features))
    total, found = loss(given, jnp.asarray(LABELS), context)
    return float(total), {name: float(value) for name, value in found.items()}


def smoothed(logits, share):
    """The softmax loss whose target has 1 - share, and share / k for every class."""
    losses = []
    for row, label in zip(logits.astype(np.float64), LABELS, strict=True):
        target = np.full(CLASSES, share / CLASSES)
        target[label] += 1 - share
        losses.append(-sum(target * (row - np.log(np.exp(row).sum()))))
    return np.mean(losses)


def distances(rows):
    return [[float(np.linalg.norm(one - other)) for other in rows] for one in rows]


def sides(rows, labels=LABELS):
    """Yield the distances of each row to its own and to other people's."""
    for label, found in zip(labels, distances(rows), strict=True):
        yield (
            np.array([d for d, other in zip(found, labels, strict=True) if other == label]),
            np.array([d for d, other in zip(found, labels, strict=True) if other != label]),
        )


def batch_hard(rows, margin, labels=LABELS):
    return np.mean([max(0, margin + o.max() - n.min()) for o, n in sides(rows, labels)])


def weighted_gaps(rows):
    for own, other in sides(rows):
        nearer = np.exp(-other) / np.exp(-other).sum()
        yield (np.exp(own) / np.exp(own).sum() * own).sum() - (nearer * other).sum()


def weighted(rows, margin):
    return np.mean([np.log1p(np.exp(gap)) for gap in weighted_gaps(rows)])


def squared_difference(rows, margin):
    return np.mean([np.log1p(np.exp(np.sign(g) * g**2)) for g in weighted_gaps(rows)])


def centre_triplet(rows, margin):
    people = [rows[2 * IMAGES * p : 2 * IMAGES * (p + 1)] for p in range(PEOPLE)]
    points = [one[m::2].mean(0) for one in people for m in (0, 1)]
    return batch_hard(np.stack(points), margin, np.repeat(range(PEOPLE), 2))


def centre(rows, margin):
    people = [rows[2 * IMAGES * p : 2 * IMAGES * (p + 1)] for p in range(PEOPLE)]
    return sum(((one[0::2].mean(0) - one[1::2].mean(0)) ** 2).sum() for one in people)


KINDS = {
    "batch_hard": batch_hard,
    "weighted": weighted,
    "squared_difference": squared_difference,
    "centre_triplet": centre_triplet,
    "centre": centre,
}
ONE = {"model.levels": ("layer2",), "model.stripes": (1,)}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_agw_is_smoothed_softmax_and_a_weighted_loss_of_distances(kind):
    changes = {"loss.kind": kind, "loss.margin": 0.4, "loss.triplet_weight": 0.7}
    total, found = loss_of("agw", ["G1"], ONE | changes | {"loss.label_smoothing": 0.2})
    rows, logits = outputs(["G1"]).embeddings["G1"], outputs(["G1"]).logits["G1"]
    assert found["L1"] == pytest.approx(0.7 * KINDS[kind](rows, 0.4), rel=1e-4)
    assert found["L2"] == pytest.approx(smoothed(logits, 0.2), rel=1e-5)
    assert total == pytest.approx(found["L1"] + found["L2"], rel=1e-6)


def test_hctri_has_a_loss_of_centres_on_each_stripe_and_on_all_side_by_side():
    names = ["R1", "R2", "R3"]
    changes = {"model.levels": ("layer2",), "model.stripes": (3,), "loss.triplet_weight": 2.0}
    total, found = loss_of("hctri", names, changes)
    made = outputs(names)
    expected = centre_triplet(np.concatenate(list(made.embeddings.values()), axis=1), 0.3)
    assert found["whole"] == pytest.approx(expected, rel=1e-4)
    for name in names:
        expected += smoothed(made.logits[name], 0.1)  # RegDB's smoothing
        expected += 2.0 * centre_triplet(made.embeddings[name], 0.3)
    assert total == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("row", "names", "stripes", "parts"),
    [("agw", ["G1"], (1,), ["L1"]), ("hctri", ["R1", "R2"], (2,), ["L1", "L3", "whole"])],
)
def test_losses_of_distances_wait_for_their_first_step(row, names, stripes, parts):
    changes = {"model.levels": ("layer2",), "model.stripes": stripes}
    changes["loss.triplet_start_step"] = 3
    assert not any(loss_of(row, names, changes, 2)[1][part] for part in parts)
    assert all(loss_of(row, names, changes, 3)[1][part] for part in parts)


def test_a_level_of_one_stripe_keeps_its_whole_map_in_hctri():
    loss_of("hctri", ["G1", "R1", "R2"], {"model.levels": ("layer1", "layer2")})


@pytest.mark.parametrize(
    ("data", "row", "epoch", "epochs"),
    [
        (regdb, "agw", 65, 81),
        (regdb, "hctri", 65, 61),
        (regdb, "caj", 65, 100),
        (regdb, "strong", 65, 100),
        (sysu_mm01, "agw", 696, 81),
        (sysu_mm01, "hctri", 464, 61),
        (sysu_mm01, "caj", 696, 100),
        (sysu_mm01, "strong", 696, 100),
        (llcm, "agw", 530, 81),
        (llcm, "hctri", 354, 61),
        (llcm, "caj", 530, 100),
    ],
)
def test_rates_follow_the_authors_epochs(data, row, epoch, epochs):
    config = data.get_config(row)
    assert config.train.steps == epoch * epochs
    rates = build(config, 3).schedules
    assert set(rates) == {"backbone", "heads"}
    for name, peak in (("heads", 0.1), ("backbone", 0.01)):
        found = [float(rates[name](epoch * end - 1)) for end in (1, 5, 10, 20, 50)]
        np.testing.assert_allclose(found, peak * np.array([0.1, 0.5, 1, 1, 0.1]), rtol=1e-5)
        after = [float(rates[name](epoch * start)) for start in (20, 50)]
        np.testing.assert_allclose(after, [0.1 * peak, 0.01 * peak], rtol=1e-5)


def test_an_epoch_of_llcm_shows_every_visible_image_once():
    """As the authors' loops do: whole batches of P K images, the last one filled up."""
    visible = PUBLISHED["train"].visible
    for row, epoch in (("caj", 530), ("hctri", 354)):
        sampler = llcm.get_config(row).sampler
        assert epoch == math.ceil(visible / (sampler.P * sampler.K))


def test_dmcf_strong_is_the_papers_network_in_the_recipe_of_strong():
    model = build(regdb.get_config("dmcf_strong"), 3).model
    assert [f.name for f in model.features] == ["G1", "G2", "R1", "R2", "G3", "R3", "R4", "R5"]
    assert model.weighted and 8 * model.embedding_dim == 2048
    strong, ours = (flatten(regdb.get_config(row)) for row in ("strong", "dmcf_strong"))
    assert {name for name in strong if strong[name] != ours[name]} == {
        *("variant", "method.name", "model.levels", "model.stripes", "model.reduce_global")
    }


def test_six_parts_make_the_embedding_of_hctri():
    model = build(regdb.get_config("hctri"), 3).model
    assert [(f.stage, f.stripe) for f in model.features] == [("layer4", i) for i in range(6)]
    assert 6 * model.embedding_dim == 1536 and model.gem_p == 10.0
