"""k-reciprocal re-ranking and query expansion against dense NumPy loops written from the papers."""

import numpy as np
import pytest
from support.literal_evaluation import cosine_distances, evaluate, unit

from dmcf_jax.errors import UserError
from dmcf_jax.evaluation.ranking import neighbourhoods
from dmcf_jax.evaluation.ranking.distances import complete_matrix
from dmcf_jax.evaluation.ranking.query_expansion import QueryExpansion, expand_queries
from dmcf_jax.evaluation.ranking.ranking import rank_queries, summarise
from dmcf_jax.evaluation.ranking.reranking import KReciprocal, RerankedTiles
from dmcf_jax.evaluation.ranking.tile_grid import plan_blocks


def people(seed, queries=40, gallery=90, identities=12, d=16):
    generator = np.random.default_rng(seed)
    centres = generator.standard_normal((identities, d))
    ids = generator.integers(0, identities, queries + gallery)
    points = centres[ids] + 0.7 * generator.standard_normal((queries + gallery, d))
    points = points.astype(np.float32)
    return points[:queries], points[queries:], ids[:queries], ids[queries:]


def dense_reranking(queries, gallery, k1, k2, weight):
    points = unit(np.concatenate([queries, gallery]))
    n = len(points)
    distance = ((points[:, None] - points[None]) ** 2).sum(-1)
    distance = distance / distance.max(axis=1, keepdims=True)
    order = np.argsort(distance, axis=1, kind="stable")

    def reciprocal(i, k):
        return {j for j in order[i, : k + 1] if i in order[j, : k + 1]}

    v = np.zeros((n, n))
    for i in range(n):
        core = reciprocal(i, k1)
        members = set(core)
        for j in core:
            other = reciprocal(j, int(np.around(k1 / 2)))
            if len(other & core) > 2 / 3 * len(other):
                members |= other
        members = sorted(members)
        v[i, members] = np.exp(-distance[i, members])
        v[i] /= v[i].sum()
    v = np.stack([v[order[i, :k2]].mean(axis=0) for i in range(n)])
    q = len(queries)
    result = np.empty((q, n - q))
    for i in range(q):
        for j in range(q, n):
            shared = np.minimum(v[i], v[j]).sum()
            result[i, j - q] = (1 - weight) * (1 - shared / (2 - shared)) + weight * distance[i, j]
    return result


def reranked_distances(queries, gallery, settings, block=None):
    grid = plan_blocks(len(queries), len(gallery), block)
    orders = np.arange(len(queries)), np.arange(len(gallery))
    return complete_matrix(RerankedTiles(queries, gallery, *orders, grid, settings), grid)


@pytest.mark.parametrize(("k1", "k2", "weight"), ((20, 6, 0.3), (7, 1, 0.0), (5, 3, 1.0)))
def test_distances_equal_the_dense_loop(k1, k2, weight):
    queries, gallery, _, _ = people(seed=1)
    expected = dense_reranking(queries, gallery, k1, k2, weight)
    settings = KReciprocal(k1, k2, weight)
    actual = reranked_distances(queries, gallery, settings)
    np.testing.assert_allclose(actual, expected, atol=2e-6)


def test_blocks_do_not_change_the_distances(monkeypatch):
    queries, gallery, _, _ = people(seed=2)
    whole = reranked_distances(queries, gallery, KReciprocal())
    monkeypatch.setattr(neighbourhoods, "BLOCK_ELEMENTS", 130 * 16)
    blocked = reranked_distances(queries, gallery, KReciprocal(), block=(16, 32))
    np.testing.assert_allclose(blocked, whole, atol=1e-6)


def test_metrics_with_reranking_agree_and_improve():
    queries, gallery, query_ids, gallery_ids = people(seed=3)
    reranked = rank_queries(queries, gallery, query_ids, gallery_ids, reranking=KReciprocal(10, 3))
    truth = evaluate(dense_reranking(queries, gallery, 10, 3, 0.3), query_ids, gallery_ids)
    assert summarise(reranked).mAP == pytest.approx(truth["mAP"], abs=1e-6)
    plain = rank_queries(queries, gallery, query_ids, gallery_ids)
    assert summarise(reranked).mAP > summarise(plain).mAP


def test_fewer_images_than_neighbours():
    queries, gallery, _, _ = people(seed=4, queries=2, gallery=5, identities=2)
    expected = dense_reranking(queries, gallery, 20, 6, 0.3)
    actual = reranked_distances(queries, gallery, KReciprocal())
    np.testing.assert_allclose(actual, expected, atol=2e-6)


@pytest.mark.parametrize("block", (None, (8, 32)))
def test_expanded_queries_are_means_of_their_nearest(block):
    queries, gallery, _, _ = people(seed=5)
    nearest = np.argsort(cosine_distances(queries, gallery), axis=1)[:, :4]
    expected = (unit(queries) + unit(gallery)[nearest].sum(axis=1)) / 5
    actual = expand_queries(queries, gallery, QueryExpansion(4), block=block)
    np.testing.assert_allclose(actual, expected, atol=1e-6)


def test_expansion_by_more_images_than_there_are():
    queries, gallery, _, _ = people(seed=6, queries=3, gallery=2)
    expected = (unit(queries) + unit(gallery).sum(axis=0)) / 3
    actual = expand_queries(queries, gallery, QueryExpansion(9))
    np.testing.assert_allclose(actual, expected, atol=1e-6)


def test_wrong_settings_are_refused():
    for wrong in ({"weight": 1.5}, {"k1": 0}, {"k2": 0}):
        with pytest.raises(UserError) as error:
            KReciprocal(**wrong)
        assert error.value.about == tuple(wrong)
    with pytest.raises(UserError) as error:
        QueryExpansion(0)
    assert error.value.about == ("k",)
