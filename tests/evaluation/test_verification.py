"""Verification against scikit-learn's curve, and identification against a loop over queries."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq
from sklearn.metrics import roc_curve
from support.literal_evaluation import dropped
from support.tiers import slow

from dmcf_jax.evaluation.open_set import open_set
from dmcf_jax.evaluation.ranking.distances import pairwise_distances
from dmcf_jax.evaluation.ranking.pair_histogram import scores_of
from dmcf_jax.evaluation.ranking.pair_kernels import order_keys
from dmcf_jax.evaluation.roc import allowed
from dmcf_jax.evaluation.verification import CURVE, FARS, RATES, verify_distances, verify_queries
from dmcf_jax.evaluation.verification_results import verification_as_dict
from dmcf_jax.runtime.devices import make_mesh

BLOCK = (8, 32)
RULES = ("none", "cam3-cam2", "same-identity-same-camera")


def labels(seed=0, queries=41, gallery=75, people=6, strangers=3):
    """Return ids and cameras of both sides; some queries show people whom the gallery has not."""
    draw = np.random.default_rng(seed)
    return (
        draw.integers(0, people + strangers, queries),
        draw.integers(0, people, gallery),
        draw.integers(1, 7, queries),
        draw.integers(1, 7, gallery),
    )


def matrix(levels, seed=0, shape=(41, 75)):
    """Return float32 distances of a few levels, so that most pairs tie."""
    return np.random.default_rng(seed).integers(-levels, levels, shape).astype(np.float32) / 7


def counted(rule, query_ids, gallery_ids, query_cameras, gallery_cameras):
    """Return which pairs count, a query at a time."""
    sides = zip(query_ids, query_cameras, strict=True)
    return ~np.array([dropped(rule, *query, gallery_ids, gallery_cameras) for query in sides])


def assert_is_scikit_learns(found, scores, same):
    """Compare with the curve of flat scores, of which `same` are of one person."""
    fpr, tpr, thresholds = roc_curve(same, scores, drop_intermediate=False)
    assert (found.same, found.different) == (same.sum(), (~same).sum())
    assert tuple(found.points) == CURVE
    for rate, point in found.points.items():
        best = np.flatnonzero(fpr <= rate)[-1]
        assert point.tpr == pytest.approx(tpr[best], abs=1e-9)
        assert point.fpr == pytest.approx(fpr[best], abs=1e-9)
        # The threshold accepts what scikit-learn's accepts, which is a score itself.
        np.testing.assert_array_equal(scores >= point.threshold, scores >= thresholds[best])
    crossing = brentq(lambda x: 1 - x - np.interp(x, fpr, tpr), 0, 1, xtol=1e-13)
    assert found.eer == pytest.approx(crossing, abs=1e-9)
    above = scores >= found.eer_threshold
    assert above[~same].mean() >= 1 - above[same].mean()
    beyond = scores > found.eer_threshold
    assert beyond[~same].mean() < 1 - beyond[same].mean()


@pytest.mark.parametrize("levels", [2, 40, *slow([1, 3, 2000])])
@pytest.mark.parametrize("block", [BLOCK, (1000, 1000), *slow([(1, 1), (13, 50), (48, 64)])])
def test_tied_scores_have_scikit_learns_rates(levels, block):
    distances, (query_ids, gallery_ids, *_) = matrix(levels), labels()
    found = verify_distances(distances, query_ids, gallery_ids, block=block)
    same = query_ids[:, None] == gallery_ids[None]
    assert_is_scikit_learns(found.roc, -distances.ravel(), same.ravel())


@pytest.mark.parametrize("rule", RULES)
def test_pairs_that_a_protocol_ignores_do_not_count(rule):
    distances, names = matrix(30), labels()
    found = verify_distances(distances, *names, ignore=rule, block=BLOCK)
    kept, same = counted(rule, *names), names[0][:, None] == names[1][None]
    assert rule == "none" or not kept.all()
    assert_is_scikit_learns(found.roc, -distances[kept], same[kept])


def embeddings(seed=0, number=60, d=9):
    """Return vectors of visible and infrared images of six people, some images twice."""
    draw = np.random.default_rng(seed)
    ids = draw.integers(0, 6, number)
    vectors = draw.standard_normal((number, d)) + np.eye(6, d)[ids]
    vectors[10:20], ids[10:20] = vectors[:10], ids[30:40]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), ids, np.arange(number) % 2


@pytest.mark.parametrize("query", [0, 1])
def test_both_directions_have_the_rates_of_their_cosines(query):
    vectors, ids, modality = embeddings()
    sides = [np.flatnonzero(modality == one) for one in (query, 1 - query)]
    parts = [values[rows] for values in (vectors, ids) for rows in sides]
    found = verify_queries(*parts, block=BLOCK)
    scores = -pairwise_distances(*parts[:2]).ravel()
    assert_is_scikit_learns(found.roc, scores, (parts[2][:, None] == parts[3]).ravel())
    reverse = verify_queries(parts[1], parts[0], parts[3], parts[2], block=BLOCK)
    assert (reverse.roc.same, reverse.roc.different) == (found.roc.same, found.roc.different)
    assert reverse.roc.eer == pytest.approx(found.roc.eer, abs=1e-9)
    for rate, point in found.roc.points.items():
        assert reverse.roc.points[rate].tpr == pytest.approx(point.tpr, abs=1e-9)


def test_within_one_modality_no_image_is_compared_with_itself():
    vectors, ids, modality = embeddings()
    rows = np.flatnonzero(modality == 0)
    sides = vectors[rows], vectors[rows], ids[rows], ids[rows], rows, rows
    found = verify_queries(*sides, ignore="same-identity-same-camera", block=BLOCK)
    scores, same = -pairwise_distances(*sides[:2]), ids[rows][:, None] == ids[rows]
    others = ~np.eye(len(rows), dtype=bool)
    assert_is_scikit_learns(found.roc, scores[others], same[others])


def test_euclidean_scores_compare_between_queries():
    draw, (query_ids, gallery_ids, *_) = np.random.default_rng(1), labels()
    sides = [draw.integers(-3, 4, (n, 5)).astype(np.float32) for n in (41, 75)]
    found = verify_queries(*sides, query_ids, gallery_ids, metric="euclidean", block=BLOCK)
    squares = ((sides[0][:, None] - sides[1][None]) ** 2).sum(-1)
    assert_is_scikit_learns(
        found.roc, -squares.ravel(), (query_ids[:, None] == gallery_ids).ravel()
    )


@pytest.mark.parametrize("dtype", [np.int16, np.float64])
def test_distances_of_any_type_are_rounded_to_float32(dtype):
    distances, (query_ids, gallery_ids, *_) = (7 * matrix(50)).astype(dtype), labels()
    distances[0, 0] = np.iinfo(np.int16).max if dtype == np.int16 else 1e300
    found = verify_distances(distances, query_ids, gallery_ids, block=BLOCK)
    scores = -distances.astype(np.float64).clip(None, np.finfo(np.float32).max)
    assert_is_scikit_learns(found.roc, scores.ravel(), (query_ids[:, None] == gallery_ids).ravel())


def test_counts_that_would_overflow_are_emptied_first(monkeypatch):
    distances, names = matrix(40), labels()
    expected = verify_distances(distances, *names, block=BLOCK)
    monkeypatch.setattr("dmcf_jax.evaluation.ranking.pair_histogram.LARGEST_COUNT", 600)
    assert verify_distances(distances, *names, block=BLOCK) == expected
    monkeypatch.setattr("dmcf_jax.evaluation.roc.LARGEST_INT64", 1)
    assert verify_distances(distances, *names, block=BLOCK) == expected


def test_devices_share_the_queries_without_a_difference():
    distances, names = matrix(40), labels()
    shared = verify_distances(distances, *names, block=BLOCK, devices=make_mesh())
    assert jax.device_count() == 8
    assert shared == verify_distances(distances, *names, block=BLOCK)


def test_keys_have_the_order_of_their_scores():
    below = np.nextafter(np.float32(1), np.float32(0))
    values = [-np.inf, -3e38, -1.5, -1.0, -1e-30, 0.0, 1e-30, 0.5, below, 1, 2, np.inf]
    values = np.array(values, np.float32)
    keys = np.asarray(order_keys(jnp.asarray(values))).astype(np.int64)
    assert (np.diff(keys) > 0).all()
    np.testing.assert_array_equal(scores_of(keys), values)
    assert order_keys(jnp.float32(-0.0)) == order_keys(jnp.float32(0.0))
    assert scores_of(keys + 1)[7] == np.nextafter(np.float32(0.5), np.float32(1))


@pytest.mark.parametrize("number", [1, 7, 10, 30, 999, 3000])
def test_what_a_rate_allows_is_the_last_share_below_it(number):
    for rate in (0.1, 0.3, 1e-2, 1e-3):
        assert allowed(rate, number) == max(k for k in range(number + 1) if k / number <= rate)


def literal_open_set(scores, kept, query_ids, gallery_ids, rates):
    """Return mated queries, and DIR by FAR for both sets of non-mated queries, literally."""
    right, strangers, removed, mated = [], [], [], 0
    for row, keep, person in zip(scores, kept, query_ids, strict=True):
        ranked = sorted(
            (-s, g == person) for s, g in zip(row[keep], gallery_ids[keep], strict=True)
        )
        others = [-s for s, own in ranked if not own]
        if any(own for _, own in ranked):
            mated += 1
            removed += others[:1]
            right += [-ranked[0][0]] if ranked[0][1] else []
        else:
            strangers += others[:1]

    def rate_of(alarms, far):
        possible = sorted({*alarms, *right, *([min(right) - 1] if right else [])}) + [np.inf]
        fitting = [t for t in possible if sum(a >= t for a in alarms) <= far * len(alarms) + 1e-12]
        return max(sum(r >= t for r in right) for t in fitting) / mated

    return mated, *({f: rate_of(a, f) for f in rates} if a else {} for a in (strangers, removed))


@pytest.mark.parametrize("levels", (3, 60))
@pytest.mark.parametrize("rule", RULES)
def test_identification_is_that_of_a_loop_over_queries(rule, levels):
    distances, names = matrix(levels, seed=2), labels(people=9)
    distances -= (
        5 * (names[0][:, None] == names[1][None]) * np.random.default_rng(5).random((41, 1))
    )
    distances = np.round(distances, 1).astype(np.float32)
    found = verify_distances(distances, *names, ignore=rule, block=BLOCK).open_set
    kept = counted(rule, *names)
    mated, strangers, removed = literal_open_set(-distances, kept, *names[:2], FARS)
    assert found.mated == mated and 0 < mated < 41
    for result, expected in ((found.non_mated_queries, strangers), (found.person_removed, removed)):
        assert {far: share for far, (_, share) in result.points.items()} == pytest.approx(expected)
    assert found.non_mated_queries.searches == 41 - mated


def test_nothing_is_nan_where_there_is_nothing_to_measure():
    (query_ids, gallery_ids, *_) = labels(strangers=0)
    closed = verification_as_dict(verify_distances(matrix(9), query_ids, gallery_ids, block=BLOCK))
    strangers = closed["open_set"]["non_mated_queries"]
    assert strangers == {"searches": 0, "dir_at_far": {}, "thresholds": {}}
    assert closed["open_set"]["person_removed"]["searches"] == 41
    (note,) = [note for note in closed["notes"] if "open-set" in note]
    assert "every query's person is in the gallery" in note
    one = np.zeros(41, int), np.zeros(75, int)
    alone = verification_as_dict(verify_distances(matrix(9), *one, block=BLOCK))
    assert alone["eer"] is None and alone["tpr_at_fpr"] == {} and alone["thresholds"] == {}
    assert alone["open_set"]["person_removed"]["searches"] == 0
    assert any(note.startswith("no pair of two people") for note in alone["notes"])
    apart = verification_as_dict(verify_distances(matrix(9), one[0], one[1] + 1, block=BLOCK))
    assert apart["eer"] is None and apart["open_set"]["mated_queries"] == 0
    assert any(note.startswith("no pair of the same person") for note in apart["notes"])


def test_results_name_rates_as_people_write_them():
    found = verify_distances(matrix(40), *labels(), block=BLOCK)
    result = verification_as_dict(found)
    assert list(result["fnmr_at_fmr"]) == ["0.1", "0.01", "0.001", "0.0001"]
    assert {float(rate) for rate in result["tpr_at_fpr"]} == set(CURVE) > set(RATES)
    for rate, share in result["fnmr_at_fmr"].items():
        assert share == 1 - result["tpr_at_fpr"][rate]
        assert result["thresholds"][rate] == found.roc.points[float(rate)].threshold
    # 41 x 75 pairs: a rate of 1e-4 allows none of them.
    assert any("rates of 0.0001 and below" in note for note in result["notes"])


def test_a_tie_with_a_stranger_is_no_right_answer():
    best = np.array([[0.5, 0.5], [0.2, 0.9], [0.3, -np.inf], [0.1, 0.4]], np.float32)
    found = open_set(best, (0.5,))
    assert found.mated == 3 and found.non_mated_queries.searches == 1
    # The alarm at 0.3 must not be answered: 0.9 and 0.4 are above it, the tie at 0.5 is wrong.
    threshold, share = found.non_mated_queries.points[0.5]
    assert share == pytest.approx(2 / 3) and threshold == np.nextafter(np.float32(0.3), 1)
    # One of the alarms at 0.5, 0.2, 0.1 may be: 0.9 and 0.4 are above 0.2.
    assert found.person_removed.points[0.5][1] == pytest.approx(2 / 3)
