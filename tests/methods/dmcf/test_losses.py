"""Losses against literal NumPy loops, eager and jitted, and their gradients at the hard places."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.tiers import MODES

from dmcf_jax.methods.dmcf import losses
from dmcf_jax.methods.dmcf.losses import loss_terms_of
from dmcf_jax.methods.network.levels import features_of


@MODES
def test_weigh_levels_is_equation_15(mode):
    level_losses, sigma = [8.0, 17.0, 21.0], [0.4, 1.0, 2.5]
    expected = sum(
        loss / (2 * s**2) + np.log(s) for loss, s in zip(level_losses, sigma, strict=True)
    )
    value = mode(losses.weigh_levels)(jnp.array(level_losses), jnp.log(jnp.array(sigma) ** 2))
    assert float(value) == pytest.approx(expected, rel=1e-6)


def test_before_the_weighting_starts_the_levels_are_added_and_log_variance_rests():
    level_losses, log_variance = jnp.array([1.0, 2.0, 4.0]), jnp.array([0.5, -1.0, 2.0])
    value, gradient = jax.value_and_grad(losses.total_loss, argnums=1)(
        level_losses, log_variance, jnp.array(False)
    )
    assert float(value) == 7.0
    assert not gradient.any()
    weighted = losses.total_loss(level_losses, log_variance, jnp.array(True))
    assert float(weighted) == float(losses.weigh_levels(level_losses, log_variance))


def test_the_papers_network_has_eleven_losses_on_the_papers_features():
    features = features_of(("layer2", "layer3", "layer4"), (1, 2, 3))
    assert [f.name for f in features] == ["G1", "G2", "R1", "R2", "G3", "R3", "R4", "R5"]
    terms = loss_terms_of(features)
    triplets = {t.name: t.feature for t in terms if t.kind == "triplet"}
    softmaxes = {t.name: t.feature for t in terms if t.kind == "softmax"}
    assert triplets == {"L1": "G1", "L3": "G2", "L7": "G3"}
    expected = dict(L2="G1", L4="G2", L5="R1", L6="R2", L8="G3", L9="R3", L10="R4", L11="R5")
    assert softmaxes == expected
    levels = {t.name: t.level for t in terms}
    assert [n for n in levels if levels[n] == "low"] == ["L1", "L2"]
    assert [n for n in levels if levels[n] == "middle"] == ["L3", "L4", "L5", "L6"]
    assert [n for n in levels if levels[n] == "high"] == ["L7", "L8", "L9", "L10", "L11"]


def test_level_sums_are_equations_12_to_14():
    terms = loss_terms_of(features_of(("layer2", "layer3", "layer4"), (1, 2, 3)))
    by_term = {f"L{i}": jnp.float32(i) for i in range(1, 12)}
    sums = {name: float(value) for name, value in losses.sum_levels(by_term, terms).items()}
    assert sums == {"low": 1 + 2, "middle": 3 + 4 + 5 + 6, "high": 7 + 8 + 9 + 10 + 11}


@pytest.mark.parametrize(
    ("kind", "hinge", "scale"),
    [
        ("batch_hard", 0.3, 0.3),
        ("centre_triplet", 0.3, 0.3),
        ("soft_margin", 0.0, 1.0),
        ("weighted", 0.0, 1.0),
        ("squared_difference", 0.0, 1.0),
        ("contrastive", 0.0, 0.0),
        ("none", 0.0, 0.0),
    ],
)
def test_alarms_compare_with_the_margin_or_with_1_where_lengths_count(kind, hinge, scale):
    settings = losses.LossSettings(margin=0.3, kind=kind)
    assert (settings.hinge, settings.scale) == (hinge, scale)
