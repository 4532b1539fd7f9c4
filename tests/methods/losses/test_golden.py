"""Every single loss compared with PyTorch's value and gradient (scripts/make_golden_losses.py)."""

from functools import cache
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import golden_losses as cases
from support.tiers import MODES

from dmcf_jax.methods.losses.bdtr import bidirectional_ranking
from dmcf_jax.methods.losses.contrastive import cross_contrastive, supervised_contrastive
from dmcf_jax.methods.losses.cross_modality_triplet import drawn_cross_triplet, hard_cross_triplet
from dmcf_jax.methods.losses.gsm import gsm_loss
from dmcf_jax.methods.losses.hetero_centre import hetero_centre, hetero_centre_triplet
from dmcf_jax.methods.losses.softmax import cosine_logits, softmax_cross_entropy
from dmcf_jax.methods.losses.tone_contrastive import half_of_other_people, pair_contrastive
from dmcf_jax.methods.losses.triplet import batch_hard_triplet, soft_margin_triplet
from dmcf_jax.methods.losses.weighted_triplet import squared_difference_triplet, weighted_triplet
from dmcf_jax.metrics.hcml import objective

GOLDEN = dict(np.load(Path(__file__).parents[2] / "golden" / "losses.npz"))
MARGIN = cases.MARGIN
BY_IMAGES = ("drawn_triplet", "centre_triplet", "centre")  # those that ask for images of each
HINGES = ("batch_hard", "ranking", "cross_triplet", "drawn_triplet", "centre_triplet")


def fused(loss, *settings):
    """A loss of the rows of both modalities alike."""
    return lambda v, t, y, k: loss(jnp.concatenate([v, t]), jnp.concatenate([y, y]), *settings)


def tone(normalise):
    def loss(visible, infrared, labels, images):
        partner, same = half_of_other_people(infrared, labels)
        return pair_contrastive(visible, partner, same, cases.TONE_MARGIN, normalise)

    return loss


def cosine_softmax(visible, infrared, labels, images):
    """The infrared rows serve as the weights of the classes."""
    return softmax_cross_entropy(cosine_logits(visible, infrared.T, cases.SCALE), labels)


# (visible, infrared, labels, images of each) -> loss
LOSSES = {
    "batch_hard": fused(batch_hard_triplet, MARGIN),
    "soft_margin": fused(soft_margin_triplet),
    "weighted": fused(weighted_triplet),
    "squared_difference": fused(squared_difference_triplet),
    "ranking": lambda v, t, y, k: bidirectional_ranking(v, t, y, *cases.RANKING)[0],
    "intra": lambda v, t, y, k: bidirectional_ranking(v, t, y, *cases.RANKING)[1],
    "cross_triplet": lambda v, t, y, k: hard_cross_triplet(v, t, y, MARGIN),
    "drawn_triplet": lambda v, t, y, k: drawn_cross_triplet(v, t, k, MARGIN),
    "centre_triplet": lambda v, t, y, k: hetero_centre_triplet(v, t, y, k, MARGIN),
    "centre": lambda v, t, y, k: hetero_centre(v, t, k),
    "contrastive": lambda v, t, y, k: cross_contrastive(v, t, y, cases.TEMPERATURE),
    "supervised_contrastive": fused(supervised_contrastive, cases.TEMPERATURE),
    "tone": tone("feature"),
    "tone_by_column": tone("batch"),
    "gsm": lambda v, t, y, k: gsm_loss(v, t, y, cases.OFFSET),
    "softmax": fused(softmax_cross_entropy),
    "smoothed_softmax": fused(softmax_cross_entropy, cases.SMOOTHING),
    "cosine_softmax": cosine_softmax,
}


def equal(found, expected):
    """Within 1e-5 of the largest value; what is 0 in PyTorch is 0."""
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@MODES
@pytest.mark.parametrize("name", LOSSES)
def test_value_and_gradient_are_those_of_pytorch(name, mode):
    @cache  # one program for all cases of a shape
    def function(images):
        return mode(jax.value_and_grad(lambda v, t, y: LOSSES[name](v, t, y, images), (0, 1)))

    for number, case in enumerate(cases.CASES):
        rows, labels = (jnp.asarray(GOLDEN[part][number]) for part in ("rows", "labels"))
        images = cases.batch(case)[2] if name in BY_IMAGES else None
        value, gradient = function(images)(*rows, labels)
        equal(value, GOLDEN[f"{name}/value"][number])
        equal(np.stack(gradient), GOLDEN[f"{name}/gradient"][number])


def test_the_cases_are_what_they_are_called():
    names = list(cases.CASES)
    values = {name: GOLDEN[f"{name}/value"] for name in LOSSES}
    assert all(values[name][names.index("no hinge active")] == 0 for name in HINGES)
    assert all(values[name][names.index("all hinges active")] > 0 for name in HINGES)
    mined = ("batch_hard", "soft_margin", "weighted", "ranking", "intra", "cross_triplet")
    assert all(values[name][names.index("one person")] == 0 for name in mined)
    assert all((values[name][:4] > 0).all() for name in LOSSES)


def test_hcmls_objective_and_its_gradients_are_those_of_pytorch():
    maps, metric = cases.maps()
    for number, case in enumerate(cases.of_several_people()):
        rows, labels, _ = cases.batch(case)
        target = objective(*rows.astype(np.float64), labels, labels)
        assert target.value(tuple(maps), metric) == pytest.approx(
            GOLDEN["hcml/value"][number], rel=1e-12
        )
        found = np.stack(target.gradients(tuple(maps), metric))
        np.testing.assert_allclose(found, GOLDEN["hcml/gradient"][number], rtol=1e-10, atol=1e-12)
