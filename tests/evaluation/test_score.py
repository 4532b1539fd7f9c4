"""`score` and its command compared with the literal loop, and every kind of unusable file."""

import json

import numpy as np
import pytest
from support.commands import run
from support.literal_evaluation import cosine_distances, euclidean_distances, evaluate

from dmcf_jax.errors import UserError
from dmcf_jax.evaluation.score import score

RULES = {
    "plain": ("none", "image"),
    "sysu_mm01": ("cam3-cam2", "identity"),
    "regdb": ("none", "image"),
    "llcm": ("same-identity-same-camera", "identity"),
    "regdb/visible-to-thermal/unique-id": ("none", "identity"),
}


def arrays(seed=0, queries=20, gallery=35):
    generator = np.random.default_rng(seed)
    return {
        "query_features": generator.standard_normal((queries, 6)).astype(np.float32),
        "query_ids": generator.integers(0, 7, queries),
        "query_cameras": generator.integers(1, 7, queries),
        "gallery_features": generator.standard_normal((gallery, 6)).astype(np.float32),
        "gallery_ids": generator.integers(0, 7, gallery),
        "gallery_cameras": generator.integers(1, 7, gallery),
    }


def saved(tmp_path, **changes):
    path = str(tmp_path / "features.npz")
    contents = {k: v for k, v in {**arrays(), **changes}.items() if v is not None}
    np.savez(path, **contents)
    return path


def literal(data, matrix, protocol, max_rank=20):
    ignore, cmc = RULES[protocol]
    labels = [data[f"{s}_{k}"] for k in ("ids", "cameras") for s in ("query", "gallery")]
    return evaluate(matrix, *labels, ignore=ignore, cmc=cmc, max_rank=max_rank)


def assert_same(result, truth, gallery=35):
    np.testing.assert_allclose(list(result["cmc"].values()), truth["cmc"], atol=1e-9)
    assert result["mAP"] == pytest.approx(truth["mAP"], abs=1e-9)
    assert result["mINP"] == pytest.approx(truth["mINP"], abs=1e-9)
    assert result["valid_queries"] == truth["valid"]
    assert result["gallery"] == gallery


@pytest.mark.parametrize("protocol", RULES)
@pytest.mark.parametrize("metric", ("cosine", "euclidean"))
def test_scores_agree_with_the_literal_loop(tmp_path, protocol, metric):
    data = arrays()
    distance = {"cosine": cosine_distances, "euclidean": euclidean_distances}[metric]
    matrix = distance(data["query_features"], data["gallery_features"])
    result = score(saved(tmp_path), protocol, metric=metric, max_rank=50)
    assert list(result["cmc"]) == [str(k) for k in range(1, 51)]
    assert_same(result, literal(data, matrix, protocol, 50))


@pytest.mark.parametrize("protocol", RULES)
def test_distances_take_the_place_of_features(tmp_path, protocol):
    matrix = np.random.default_rng(1).integers(0, 9, (20, 35)).astype(np.int16)
    np.save(tmp_path / "distances.npy", matrix)
    path = saved(tmp_path, query_features=None, gallery_features=None)
    result = score(path, protocol, distances=str(tmp_path / "distances.npy"))
    assert_same(result, literal(arrays(), matrix, protocol))


def test_cameras_are_optional_where_nothing_is_ignored_by_camera(tmp_path):
    path = saved(tmp_path, query_cameras=None, gallery_cameras=None)
    assert score(path, "regdb")["queries"] == 20
    with pytest.raises(UserError) as error:
        score(path, "llcm")
    assert error.value.about == ("query_cameras", "gallery_cameras")


def problems_of(path, protocol="plain", **options):
    with pytest.raises(UserError) as error:
        score(path, protocol, **options)
    return str(error.value)


def test_all_problems_are_listed_at_once(tmp_path):
    bad = arrays()["query_features"].copy()
    bad[3, 1], bad[5] = np.nan, 0
    path = saved(
        tmp_path,
        query_features=bad,
        gallery_features=np.ones((34, 5)),
        query_ids=arrays()["query_ids"] - 3,
        gallery_ids=None,
        gallery_cameras=np.array(["a"] * 35),
    )
    message = problems_of(path, "nonsense", max_rank=0)
    for words in (
        "query_features row 3 has NaN",
        "query_features row 5 has length 0",
        "query_ids: ",
        "are negative, the first in row",
        "gallery_ids is missing",
        "gallery_cameras: <U1 of shape [35]",
        "gallery_features [34, 5]",
        "--protocol=nonsense",
        "--max_rank=0",
    ):
        assert words in message, words


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"query_features": np.array([{}] * 20)}, "query_features: holds pickled"),
        ({"gallery_ids": np.array([None] * 35)}, "gallery_ids: holds pickled"),
        ({"gallery_features": np.empty((0, 6)), "gallery_ids": np.empty(0, int)}, "ids: empty"),
        ({"query_features": np.ones(20)}, "float64 of shape [20]"),
        ({"query_features": np.ones((20, 6), complex)}, "complex128"),
        ({"query_features": np.full((20, 6), 1e300)}, "row 0 has NaN or infinity"),
        ({"query_ids": np.ones(20)}, "expected one list of integers"),
        ({"query_ids": np.ones(19, int)}, "20 rows for 19 query_ids"),
        ({"query_cameras": np.ones(3, int)}, "3 of them for 20 identities"),
        ({"query_ids": np.full(20, 2**64 - 1, np.uint64)}, "is too large"),
        ({"query_ids": np.full(20, 99)}, "none of the 20 queries"),
    ],
)
def test_unusable_arrays_are_refused(tmp_path, changes, words):
    assert words in problems_of(saved(tmp_path, **changes))


def test_unusable_files_are_refused(tmp_path):
    path = tmp_path / "features.npz"
    assert "No such file" in problems_of(str(path))
    assert "--features is missing" in problems_of(None)
    assert "--metric=dot" in problems_of(str(path), metric="dot")
    for contents in (b"", b"PK\x03\x04 no archive", b"plain text"):
        path.write_bytes(contents)
        assert "features.npz: " in problems_of(str(path))
    np.save(tmp_path / "one.npy", np.ones((2, 2)))
    assert "not an .npz archive" in problems_of(str(tmp_path / "one.npy"))


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        (np.ones((20, 34)), "distances of shape [20, 34] for 35 gallery identities"),
        (np.ones(20), "float64 of shape [20]"),
        (np.array([[{}]]), "holds pickled"),
        (np.full((20, 35), np.inf), "and 10 more"),
    ],
)
def test_unusable_distances_are_refused(tmp_path, matrix, words):
    np.save(tmp_path / "distances.npy", matrix)
    path = saved(tmp_path)
    assert words in problems_of(path, distances=str(tmp_path / "distances.npy"))


def test_a_truncated_archive_is_refused(tmp_path):
    path = saved(tmp_path)
    with open(path, "rb") as file:
        whole = file.read()
    with open(path, "wb") as file:
        file.write(whole[: len(whole) // 2])
    assert "cannot be read" in problems_of(path)


@pytest.mark.slow
def test_the_command_prints_only_the_json(tmp_path):
    path = saved(tmp_path)
    done = run("scripts/score.py", f"--features={path}", "--protocol=sysu_mm01", "--max_rank=5")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert set(result) == {
        "protocol", "cmc", "mAP", "mINP", "queries", "valid_queries", "gallery",
    }  # fmt: skip
    assert result == score(path, "sysu_mm01", max_rank=5)


@pytest.mark.slow
def test_the_command_ends_with_status_2_and_no_traceback(tmp_path):
    done = run("scripts/score.py", f"--features={saved(tmp_path, query_ids=None)}")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "query_ids is missing" in done.stderr
    assert "Traceback" not in done.stderr
