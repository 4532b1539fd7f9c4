"""The P x K sampler: what every batch must hold, counted with plain Python sets."""

import collections

import jax
import numpy as np
import pytest

from dmcf_jax.data.identity_sampler import draw_batch, identity_table
from dmcf_jax.errors import UserError

KEY = jax.random.key(5)
draw = jax.jit(draw_batch, static_argnums=(3, 4))


def make_images(visible_counts, infrared_counts):
    """Identities 100, 110, ...: as many images as the counts say, shuffled."""
    identity, modality = [], []
    for m, counts in enumerate((visible_counts, infrared_counts)):
        for number, count in enumerate(counts):
            identity += [100 + 10 * number] * count
            modality += [m] * count
    order = np.random.default_rng(0).permutation(len(identity))
    return np.array(identity, np.int32)[order], np.array(modality, np.int32)[order]


def test_batches_hold_P_identities_and_K_distinct_images_of_each_modality():
    identity, modality = make_images([5, 7, 4, 9, 6], [4, 4, 8, 5, 6])
    table = identity_table(identity, modality, P=3)
    for step in range(40):
        batch = draw(table, KEY, np.int32(step), 3, 4)
        for rows, wanted in ((batch.visible, 0), (batch.infrared, 1)):
            rows = np.asarray(rows)
            assert (modality[rows] == wanted).all()
            assert len(set(rows.tolist())) == 12
            assert (identity[rows] == 100 + 10 * np.asarray(batch.labels)).all()
        assert sorted(collections.Counter(np.asarray(batch.labels).tolist()).values()) == [4, 4, 4]


def test_fewer_than_K_images_are_taken_equally_often():
    identity, modality = make_images([2, 1], [3, 5])
    table = identity_table(identity, modality, P=2)
    batch = draw(table, KEY, np.int32(0), 2, 4)
    times = collections.Counter(np.asarray(batch.visible).tolist())
    assert sorted(times.values()) == [2, 2, 4]


def test_every_identity_and_image_is_drawn_about_equally_often():
    identity, modality = make_images([3] * 6, [3] * 6)
    table = identity_table(identity, modality, P=2)
    rows = collections.Counter()
    for step in range(300):
        batch = draw(table, KEY, np.int32(step), 2, 1)
        rows.update(np.asarray(batch.visible).tolist())
    # 600 draws of 18 images: 33 each; binomial deviation 5.6, so 5 deviations are 28.
    assert len(rows) == 18 and min(rows.values()) > 8 and max(rows.values()) < 62


def test_a_batch_depends_on_key_and_step_alone():
    identity, modality = make_images([5, 5, 5], [5, 5, 5])
    table = identity_table(identity, modality, P=2)
    first, again = (draw(table, KEY, np.int32(7), 2, 3) for _ in range(2))
    other_step = draw(table, KEY, np.int32(8), 2, 3)
    other_key = draw(table, jax.random.key(6), np.int32(7), 2, 3)
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert (first.visible != other_step.visible).any()
    assert (first.visible != other_key.visible).any()


def test_identities_of_one_modality_are_left_out():
    identity, modality = make_images([5, 0, 5], [5, 5, 5])
    table = identity_table(identity, modality, P=2)
    assert table.counts.tolist() == [[5, 5], [5, 5]]
    drawn = {
        int(i) for s in range(20) for i in identity[draw(table, KEY, np.int32(s), 2, 1).visible]
    }
    assert drawn == {100, 120}


def test_too_few_identities_are_refused_with_what_to_do():
    identity, modality = make_images([5, 0, 5], [5, 5, 5])
    with pytest.raises(
        UserError, match=r"only 2 .*2 in visible, 3 in infrared.*at most 2"
    ) as error:
        identity_table(identity, modality, P=3)
    assert error.value.about == ("sampler.P",)
