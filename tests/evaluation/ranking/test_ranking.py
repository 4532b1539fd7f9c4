"""The sort-free ranking compared with `literal_evaluation`; block sizes change no bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.literal_evaluation import cosine_distances, euclidean_distances, evaluate
from support.tiers import slow

from benchmarks.literal_ranking import literal_evaluation
from dmcf_jax.errors import UserError
from dmcf_jax.evaluation.ranking.ranking import rank_distances, rank_queries, summarise

RULES = ("none", "cam3-cam2", "same-identity-same-camera")


def random_data(seed, queries=60, gallery=110, identities=9, d=12):
    generator = np.random.default_rng(seed)
    return {
        "query_embeddings": generator.standard_normal((queries, d)).astype(np.float32),
        "gallery_embeddings": generator.standard_normal((gallery, d)).astype(np.float32),
        "query_ids": generator.integers(0, identities, queries),
        "gallery_ids": generator.integers(0, identities, gallery),
        "query_cameras": generator.integers(1, 7, queries),
        "gallery_cameras": generator.integers(1, 7, gallery),
    }


def labels(data):
    return {name: values for name, values in data.items() if "embeddings" not in name}


def assert_agrees(ranked, truth, max_rank=20, tolerance=1e-12):
    for k, expected in enumerate(truth["queries"]):
        assert ranked.valid[k] == (expected is not None)
        if expected is not None:
            assert ranked.first_rank[k] == expected[0]
            assert ranked.average_precision[k] == pytest.approx(expected[1], abs=tolerance)
            assert ranked.inverse_negative_penalty[k] == pytest.approx(expected[2], abs=tolerance)
    metrics = summarise(ranked, max_rank)
    np.testing.assert_allclose(metrics.cmc, truth["cmc"], atol=tolerance)
    assert metrics.mAP == pytest.approx(truth["mAP"], abs=tolerance)
    assert metrics.mINP == pytest.approx(truth["mINP"], abs=tolerance)
    assert metrics.valid_queries == truth["valid"]


@pytest.mark.parametrize("cmc", ("image", "identity"))
@pytest.mark.parametrize("ignore", RULES)
@pytest.mark.parametrize("metric", ("cosine", "euclidean"))
def test_every_rule_agrees_with_the_literal_loop(ignore, cmc, metric):
    data = random_data(seed=3)
    distances = {"cosine": cosine_distances, "euclidean": euclidean_distances}[metric]
    matrix = distances(data["query_embeddings"], data["gallery_embeddings"])
    ranked = rank_queries(**data, ignore=ignore, cmc=cmc, metric=metric)
    assert_agrees(ranked, evaluate(matrix, **labels(data), ignore=ignore, cmc=cmc))


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    levels=st.integers(1, 6),
    identities=st.integers(1, 30),
    ignore=st.sampled_from(RULES),
    cmc=st.sampled_from(("image", "identity")),
)
def test_ties_put_the_wrong_image_first(seed, levels, identities, ignore, cmc):
    data = labels(random_data(seed, queries=17, gallery=41, identities=identities))
    matrix = np.random.default_rng(seed).integers(0, levels, (17, 41)).astype(np.float32)
    truth = evaluate(matrix, **data, ignore=ignore, cmc=cmc)
    ranked = rank_distances(matrix, **data, ignore=ignore, cmc=cmc, block=(8, 32))
    if truth["valid"]:
        assert_agrees(ranked, truth)
    else:
        with pytest.raises(UserError, match="none of the 17 queries"):
            summarise(ranked)


def test_a_tie_by_hand():
    ranked = rank_distances(
        np.array([[1.0, 1.0, 0.0, 1.0]], np.float32), np.array([7]), np.array([7, 8, 9, 7])
    )
    # 9, then 8 before both images of 7: ranks 3 and 4.
    assert ranked.first_rank[0] == 3
    assert ranked.average_precision[0] == pytest.approx((1 / 3 + 2 / 4) / 2)
    assert ranked.inverse_negative_penalty[0] == pytest.approx(2 / 4)


def test_equal_images_tie_wherever_they_stand():
    data = random_data(seed=5, queries=40, gallery=160, d=37)
    data["gallery_embeddings"][80:] = data["gallery_embeddings"][:80]
    mixed = np.random.default_rng(1).permutation(160)
    data["gallery_embeddings"] = data["gallery_embeddings"][mixed]
    data["gallery_ids"] = (mixed >= 80).astype(np.int64)
    data["query_ids"] = np.arange(40) % 2
    # Every right image has a twin of the other identity, which comes before it.
    ranked = rank_queries(**data)
    assert (ranked.first_rank == 2).all()
    np.testing.assert_allclose(ranked.average_precision, 0.5)


@pytest.mark.parametrize(
    "block", [(8, 32), (40, 64), (1000, 1000), *slow([(1, 1), (13, 50), (64, 2000)])]
)
@pytest.mark.parametrize("metric", ("cosine", "euclidean"))
def test_results_are_identical_for_any_block_size(block, metric):
    data = random_data(seed=8, queries=70, gallery=300, identities=21, d=67)
    rule = {"ignore": "cam3-cam2", "cmc": "identity", "metric": metric}
    whole = rank_queries(**data, **rule)
    ranked = rank_queries(**data, **rule, block=block)
    for name in ("first_rank", "average_precision", "inverse_negative_penalty", "valid"):
        np.testing.assert_array_equal(getattr(ranked, name), getattr(whole, name))


def test_tiles_computed_again_change_nothing(monkeypatch):
    data = random_data(seed=9, queries=64, gallery=640, identities=2)
    whole = rank_queries(**data, block=(32, 64))
    monkeypatch.setattr("dmcf_jax.evaluation.ranking.block_ranker.KEPT_BYTES", 1)
    monkeypatch.setattr("dmcf_jax.evaluation.ranking.distances.RESIDENT_BYTES", 1)
    again = rank_queries(**data, block=(32, 64))
    np.testing.assert_array_equal(again.average_precision, whole.average_precision)
    np.testing.assert_array_equal(again.first_rank, whole.first_rank)


@pytest.mark.parametrize("gallery", (70, 300))
def test_many_relevant_images(gallery):
    data = random_data(seed=4, queries=20, gallery=gallery, identities=2)
    matrix = cosine_distances(data["query_embeddings"], data["gallery_embeddings"])
    assert_agrees(rank_queries(**data), evaluate(matrix, **labels(data)), tolerance=1e-9)


def test_order_of_rows_does_not_matter():
    data = random_data(seed=6)
    expected = rank_queries(**data, ignore="cam3-cam2", cmc="identity")
    q, g = (np.random.default_rng(2).permutation(n) for n in (60, 110))
    mixed = {name: values[q if "query" in name else g] for name, values in data.items()}
    ranked = rank_queries(**mixed, ignore="cam3-cam2", cmc="identity")
    np.testing.assert_array_equal(ranked.first_rank, expected.first_rank[q])
    np.testing.assert_allclose(ranked.average_precision, expected.average_precision[q])


def test_the_curve_keeps_its_last_value_beyond_the_gallery():
    data = random_data(seed=7, identities=5)
    ranked = rank_queries(**data, cmc="identity")
    metrics = summarise(ranked, max_rank=12)
    assert metrics.cmc.shape == (12,)
    assert (metrics.cmc[4:] == 1).all()
    assert metrics.rank(50) == 1


def test_queries_without_a_relevant_image_are_left_out_and_counted():
    data = random_data(seed=1, identities=4)
    data["query_ids"][:7] = 99
    matrix = cosine_distances(data["query_embeddings"], data["gallery_embeddings"])
    ranked = rank_queries(**data)
    assert_agrees(ranked, evaluate(matrix, **labels(data)))
    metrics = summarise(ranked)
    assert (metrics.queries, metrics.valid_queries, metrics.gallery) == (60, 53, 110)


def test_an_identity_that_is_ignored_whole_does_not_count():
    ids = np.array([1, 2, 3])
    ranked = rank_distances(
        np.array([[3.0, 1.0, 2.0]]), ids[:1], ids, np.array([3]), np.array([1, 2, 4]),
        ignore="cam3-cam2", cmc="identity",
    )  # fmt: skip
    assert ranked.first_rank[0] == 2


def test_distances_in_float64_are_ranked_as_given(tmp_path):
    data = labels(random_data(seed=2))
    matrix = 1 + 1e-12 * np.random.default_rng(2).random((60, 110))
    np.save(tmp_path / "distances.npy", matrix)
    mapped = np.load(tmp_path / "distances.npy", mmap_mode="r")
    for block in (None, (8, 32), (50, 100)):
        assert_agrees(rank_distances(mapped, **data, block=block), evaluate(matrix, **data))


def test_a_part_of_a_matrix():
    data = labels(random_data(seed=2))
    matrix = np.random.default_rng(2).random((60, 110)).astype(np.float32)
    rows, columns = np.arange(10, 40), np.random.default_rng(0).choice(110, 50, replace=False)
    part = {n: v[rows if "query" in n else columns] for n, v in data.items()}
    ranked = rank_distances(matrix, **part, rows=rows, columns=columns)
    assert_agrees(ranked, evaluate(matrix[np.ix_(rows, columns)], **part))


def test_embeddings_without_direction_are_named():
    data = random_data(seed=0)
    data["query_embeddings"][5, 2] = np.nan
    data["gallery_embeddings"][[7, 9]] = 0
    with pytest.raises(UserError) as error:
        rank_queries(**data)
    assert error.value.about == ("query", "gallery", "gallery")
    assert [problem.text.split(",")[0] for problem in error.value.problems] == [
        "query row 5 has NaN or infinity",
        "gallery row 7 has length 0",
        "gallery row 9 has length 0",
    ]
    data["query_embeddings"][5, 2] = 0
    assert rank_queries(**data, metric="euclidean").valid.any()


@pytest.mark.parametrize(("length", "reason"), ((1e-38, "length 0"), (1e38, "too long")))
def test_lengths_beyond_float32_are_refused(length, reason):
    data = random_data(seed=0)
    data["gallery_embeddings"][3] = 0
    data["gallery_embeddings"][3, 0] = length
    with pytest.raises(UserError, match=f"gallery row 3 .*{reason}"):
        rank_queries(**data)


def test_short_and_long_embeddings_rank_by_direction():
    data = random_data(seed=0)
    expected = rank_queries(**data)
    data["gallery_embeddings"] *= np.float32(2.0**-90)
    data["query_embeddings"] *= np.float32(2.0**90)
    ranked = rank_queries(**data)
    np.testing.assert_array_equal(ranked.average_precision, expected.average_precision)


def test_many_bad_rows_are_counted_not_listed():
    data = random_data(seed=0)
    data["gallery_embeddings"][:] = np.inf
    with pytest.raises(UserError, match="and 100 more") as error:
        rank_queries(**data)
    assert error.value.about == ("gallery",) * 11


def test_nan_distances_are_refused():
    matrix = np.ones((60, 110), np.float32)
    matrix[4, 2] = np.nan
    with pytest.raises(UserError, match="row 4") as error:
        rank_distances(matrix, **labels(random_data(seed=0)))
    assert error.value.about == ("distances",)


@pytest.mark.parametrize(
    ("change", "about"),
    [
        ({"ignore": "camera"}, "ignore"),
        ({"cmc": "rank"}, "cmc"),
        ({"metric": "dot"}, "metric"),
        ({"block": (0, 5)}, "block"),
        ({"ignore": "cam3-cam2", "query_cameras": None}, "cameras"),
    ],
)
def test_wrong_choices_are_refused(change, about):
    with pytest.raises(UserError) as error:
        rank_queries(**{**random_data(seed=0), **change})
    assert error.value.about == (about,)


def test_none_valid_is_an_error():
    data = random_data(seed=0)
    data["query_ids"] += 100
    with pytest.raises(UserError, match="none of the 60 queries"):
        summarise(rank_queries(**data))


@pytest.mark.parametrize("vectorised", (False, True))
@pytest.mark.parametrize(("ignore", "cmc"), (("none", "image"), ("cam3-cam2", "identity")))
def test_the_benchmarks_yardstick_computes_the_same(ignore, cmc, vectorised):
    data = random_data(seed=11)
    for side in ("query_embeddings", "gallery_embeddings"):
        data[side] /= np.linalg.norm(data[side], axis=1, keepdims=True)
    metrics = summarise(rank_queries(**data, ignore=ignore, cmc=cmc))
    curve, precision, penalty = literal_evaluation(
        **data, ignore=ignore, cmc=cmc, vectorised=vectorised
    )
    np.testing.assert_allclose(metrics.cmc, curve, atol=1e-9)
    assert (metrics.mAP, metrics.mINP) == pytest.approx((precision, penalty), abs=1e-9)
