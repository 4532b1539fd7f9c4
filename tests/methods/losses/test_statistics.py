"""Statistics of a batch's embeddings against literal NumPy loops."""

import jax.numpy as jnp
import numpy as np
import pytest
from support.tiers import MODES

from dmcf_jax.methods.losses.statistics import embedding_statistics


def literal(rows, labels, margin):
    own, other, active = [], [], []
    for i, anchor in enumerate(rows):
        mine = [np.linalg.norm(anchor - r) for j, r in enumerate(rows) if labels[j] == labels[i]]
        rest = [np.linalg.norm(anchor - r) for j, r in enumerate(rows) if labels[j] != labels[i]]
        own += sorted(mine)[1:]  # without itself
        other += rest
        active.append(margin + max(mine) - min(rest) > 0)
    lengths = [np.linalg.norm(row) for row in rows]
    offsets = [np.linalg.norm(row - rows.mean(axis=0)) ** 2 for row in rows]
    return {
        "distance_own": np.mean(own),
        "distance_other": np.mean(other),
        "active": np.mean(active),
        "spread": np.sqrt(np.mean(offsets)) / np.mean(lengths),
    }


@MODES
@pytest.mark.parametrize("margin", [0.0, 0.4])
def test_statistics_equal_a_literal_loop(mode, margin):
    rows = np.random.default_rng(0).normal(2, 1, (12, 5)).astype(np.float32)
    labels = np.repeat(np.arange(4), 3)
    rows += 2 * labels[:, None].astype(np.float32)  # some anchors are content, some are not
    found = mode(lambda e, y: embedding_statistics(e, y, margin))(
        jnp.array(rows), jnp.array(labels)
    )
    expected = literal(rows, labels, margin)
    assert 0 < expected["active"] < 1
    assert {name: float(value) for name, value in found.items()} == pytest.approx(
        expected, rel=1e-4
    )


@MODES
def test_one_point_has_no_spread_and_zeros_are_finite(mode):
    labels = jnp.array([0, 0, 1, 1])
    for rows in (jnp.full((4, 3), 7.0), jnp.zeros((4, 3))):
        found = mode(lambda e: embedding_statistics(e, labels, 1.8))(rows)
        values = {name: float(value) for name, value in found.items()}
        assert values == {"distance_own": 0, "distance_other": 0, "active": 1, "spread": 0}
