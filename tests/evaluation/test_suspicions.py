"""Numbers that cannot be right are refused or said."""

import numpy as np
import pytest

from dmcf_jax.errors import UserError
from dmcf_jax.evaluation.score import score
from dmcf_jax.evaluation.suspicions import chance_mAP, hidden_images, rows_in_both


def saved(path, queries, gallery, cameras=((3,), (1, 2, 4, 5)), **more):
    draw = np.random.default_rng(0)
    sides = {"query": queries, "gallery": gallery}
    arrays = {}
    for (side, (features, ids)), numbers in zip(sides.items(), cameras, strict=True):
        arrays[f"{side}_features"] = features
        arrays[f"{side}_ids"] = ids
        arrays[f"{side}_cameras"] = draw.choice(numbers, len(ids))
    np.savez(path, **arrays | more)
    return str(path)


def people(n, each, seed, spread):
    ids = np.repeat(np.arange(n), each)
    centres = np.random.default_rng(1).normal(size=(n, 16))
    noise = np.random.default_rng(seed).normal(size=(n * each, 16))
    return (centres[ids] + spread * noise).astype(np.float32), ids


def test_the_chance_of_a_random_order_is_its_mean_over_many(tmp_path):
    query, gallery = np.array([0, 1, 2]), np.array([0, 0, 0, 1, 1, 3, 3, 3, 3, 3])
    draw, found = np.random.default_rng(0), []
    for _ in range(4000):
        for person in (0, 1):  # 2 has no right image
            ranks = 1 + np.flatnonzero(gallery[draw.permutation(10)] == person)
            found.append(np.mean(np.arange(1, len(ranks) + 1) / ranks))
    assert chance_mAP(query, gallery) == pytest.approx(np.mean(found), abs=0.01)


def test_the_chance_is_that_among_what_a_query_sees():
    ids, cameras = np.array([0, 0, 0, 1, 1, 1, 1, 2]), np.array([1, 2, 2, 1, 1, 2, 3, 1])
    draw, found = np.random.default_rng(0), []
    for _ in range(3000):
        for query in range(7):  # of person 2 no other camera has an image
            seen = ~((ids == ids[query]) & (cameras == cameras[query]))
            order = draw.permutation(int(seen.sum()))
            ranks = 1 + np.flatnonzero(ids[seen][order] == ids[query])
            found.append(np.mean(np.arange(1, len(ranks) + 1) / ranks))
    hidden = hidden_images(ids, ids, cameras, cameras)
    assert hidden.tolist() == [1, 2, 2, 2, 2, 1, 1, 1]
    assert chance_mAP(ids, ids, hidden) == pytest.approx(np.mean(found), abs=0.01)


def test_a_row_of_the_querys_person_and_camera_is_not_in_both():
    rows, ids, cameras = np.eye(3, dtype=np.float32), np.array([0, 0, 1]), np.array([1, 2, 1])
    assert rows_in_both(rows, rows) == 3
    assert rows_in_both(rows, rows, ids, ids, cameras, cameras) == 0
    assert rows_in_both(rows, rows, ids, ids, cameras, np.array([1, 1, 2])) == 2


def test_queries_in_the_gallery_are_counted(tmp_path):
    gallery = people(10, 3, 2, 3.0)
    queries = gallery[0][::3], gallery[1][::3]
    notes = score(saved(tmp_path / "f.npz", queries, gallery))["notes"]
    assert any(note.startswith("10 of 10 queries are in the gallery") for note in notes)


def test_scores_of_100_percent_are_doubted(tmp_path):
    path = saved(tmp_path / "f.npz", people(10, 2, 3, 0.01), people(10, 3, 2, 0.01))
    assert any("100 %" in note for note in score(path)["notes"])


def test_similarities_given_as_distances_and_shuffled_identities_are_at_chance(tmp_path):
    (q, q_ids), (g, g_ids) = people(20, 2, 3, 0.8), people(20, 3, 2, 0.8)
    path = saved(tmp_path / "f.npz", (q, q_ids), (g, g_ids))
    assert score(path)["notes"] == [] and score(path)["mAP"] > 0.5
    np.save(tmp_path / "d.npy", q @ g.T)
    (note,) = score(path, distances=str(tmp_path / "d.npy"))["notes"]
    assert "similarities" in note and "random order" in note
    np.save(tmp_path / "e.npy", -q @ g.T)
    assert score(path, distances=str(tmp_path / "e.npy"))["notes"] == []


@pytest.mark.parametrize(
    ("protocol", "cameras", "about"),
    [
        ("sysu_mm01", ((2, 5), (0, 1, 3, 4)), ("gallery_cameras",)),  # counted from 0
        ("sysu_mm01/all/single/python-seeded", ((7,), (1, 2)), ("query_cameras",)),
        ("llcm", ((1,), (10,)), ("gallery_cameras",)),
    ],
)
def test_cameras_that_the_protocol_does_not_know_are_refused(tmp_path, protocol, cameras, about):
    path = saved(tmp_path / "f.npz", people(9, 2, 3, 1), people(9, 3, 2, 1), cameras)
    with pytest.raises(UserError) as error:
        score(path, protocol)
    assert error.value.about == about
