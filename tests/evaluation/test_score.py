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


def refusal(path, protocol="plain", **options):
    with pytest.raises(UserError) as error:
        score(path, protocol, **options)
    return error.value


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
    error = refusal(path, "nonsense", max_rank=0)
    assert sorted(error.about) == sorted(
        [
            *("--max_rank", "--protocol", "query_ids", "gallery_ids", "gallery_cameras"),
            "gallery_features",  # 5 values a row where the queries have 6
            *("query_features", "query_features"),  # NaN in row 3, row 5 of length 0
        ]
    )
    rows = [problem.text for problem in error.problems if problem.about == "query_features"]
    assert "row 3 " in rows[0] and "row 5 " in rows[1]
    assert all(problem.text in str(error) for problem in error.problems)


@pytest.mark.parametrize(
    ("changes", "about"),
    [
        ({"query_features": np.array([{}] * 20)}, ["query_features"]),
        ({"gallery_ids": np.array([None] * 35)}, ["gallery_ids"]),
        (
            {"gallery_features": np.empty((0, 6)), "gallery_ids": np.empty(0, int)},
            ["gallery_ids", "gallery_cameras", "gallery_features"],
        ),
        ({"query_features": np.ones(20)}, ["query_features", "gallery_features"]),  # sizes differ
        ({"query_features": np.ones((20, 6), complex)}, ["query_features"]),
        ({"query_features": np.full((20, 6), 1e300)}, ["query_features"] * 11),
        ({"query_ids": np.ones(20)}, ["query_ids"]),
        ({"query_ids": np.ones(19, int)}, ["query_cameras", "query_features"]),
        ({"query_cameras": np.ones(3, int)}, ["query_cameras"]),
        ({"query_ids": np.full(20, 2**64 - 1, np.uint64)}, ["query_ids"]),
        ({"query_ids": np.full(20, 99)}, ["query"]),  # none has a match
    ],
)
def test_unusable_arrays_are_refused(tmp_path, changes, about):
    assert list(refusal(saved(tmp_path, **changes)).about) == about


def test_unusable_files_are_refused(tmp_path):
    path = tmp_path / "features.npz"
    assert refusal(str(path)).about == (str(path),)
    assert refusal(None).about == ("--features",)
    assert refusal(str(path), metric="dot").about == ("--metric", str(path))
    for contents in (b"", b"PK\x03\x04 no archive", b"plain text"):
        path.write_bytes(contents)
        assert refusal(str(path)).about == (str(path),)
    one = str(tmp_path / "one.npy")
    np.save(one, np.ones((2, 2)))
    assert refusal(one).about == (one,)


@pytest.mark.parametrize(
    ("matrix", "about"),
    [
        (np.ones((20, 34)), ["--distances"]),
        (np.ones(20), ["file"]),
        (np.array([[{}]]), ["file"]),
        (np.full((20, 35), np.inf), ["file"] * 11),  # ten rows and the number of the others
    ],
)
def test_unusable_distances_are_refused(tmp_path, matrix, about):
    path = str(tmp_path / "distances.npy")
    np.save(path, matrix)
    error = refusal(saved(tmp_path), distances=path)
    assert list(error.about) == [path if name == "file" else name for name in about]


def test_a_truncated_archive_is_refused(tmp_path):
    path = saved(tmp_path)
    with open(path, "rb") as file:
        whole = file.read()
    with open(path, "wb") as file:
        file.write(whole[: len(whole) // 2])
    assert refusal(path).about == (path,)


@pytest.mark.slow
def test_the_command_prints_only_the_json(tmp_path):
    path = saved(tmp_path)
    done = run("scripts/score.py", f"--features={path}", "--protocol=sysu_mm01", "--max_rank=5")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert set(result) == {
        "protocol", "cmc", "mAP", "mINP", "queries", "valid_queries", "gallery", "notes",
        "verification",
    }  # fmt: skip
    assert result == score(path, "sysu_mm01", max_rank=5)


@pytest.mark.slow
def test_the_command_ends_with_status_2_and_no_traceback(tmp_path):
    done = run("scripts/score.py", f"--features={saved(tmp_path, query_ids=None)}")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "query_ids is missing" in done.stderr
    assert "Traceback" not in done.stderr
