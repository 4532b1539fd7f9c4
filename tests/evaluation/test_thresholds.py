"""Recorded thresholds against counting every pair, and what is said where there are none."""

from types import SimpleNamespace

import numpy as np
import pytest

from dmcf_jax.evaluation.thresholds import (
    ACROSS,
    KINDS,
    is_thresholds,
    kind_of,
    measure_thresholds,
    threshold_lines,
)


def people(count=9, images=5, seed=0):
    """Return unit vectors and labels of people with `images` in each modality."""
    draw = np.random.default_rng(seed)
    identity = np.repeat(np.arange(count), 2 * images)
    vectors = draw.standard_normal((len(identity), 12)) + 2 * np.eye(count, 12)[identity]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = {
        "identity": identity,
        "camera": np.zeros_like(identity),
        "modality": np.arange(len(identity)) % 2,
        "path": np.array([f"{row}.png" for row in range(len(identity))]),
    }
    return vectors.astype(np.float32), SimpleNamespace(**labels)


def literal_pairs(vectors, labels, first, second):
    """Return the scores of pairs of different people and of the same, one pair at a time.

    A pair within a modality counts once.
    """
    scores = {False: [], True: []}
    for a in np.flatnonzero(labels.modality == first):
        for b in np.flatnonzero(labels.modality == second):
            if first != second or a < b:
                same = labels.identity[a] == labels.identity[b]
                scores[bool(same)].append(float(vectors[a].astype(float) @ vectors[b]))
    return np.array(scores[False]), np.array(scores[True])


def test_a_threshold_accepts_as_many_pairs_as_its_rate_and_no_more():
    vectors, labels = people()
    found = measure_thresholds(vectors, labels)
    assert found["people"] == 9 and tuple(found["pairs"]) == tuple(KINDS)
    for name, (first, second) in KINDS.items():
        different, same = literal_pairs(vectors, labels, first, second)
        one = found["pairs"][name]
        assert one["different_person_pairs"] == len(different) >= 900
        assert one["same_person_pairs"] == len(same)
        shown = ["0.01", "0.001"] if len(different) >= 1000 else ["0.01"]
        assert list(one["thresholds"]) == shown
        for rate, point in one["thresholds"].items():
            allowed = int(float(rate) * len(different))
            # Products round otherwise here; no two of these scores are that close.
            assert (different >= point["score"] - 1e-6).sum() == allowed + 1
            assert (different >= point["score"] + 1e-6).sum() == allowed
            assert point["tpr"] == pytest.approx(np.mean(same >= point["score"]))


def test_kinds_of_pairs_are_named_by_the_modalities():
    assert kind_of("visible", "infrared") == kind_of("infrared", "visible") == ACROSS
    assert {kind_of("visible", "visible"), kind_of("infrared", "infrared"), ACROSS} == set(KINDS)


def test_pairs_that_mean_nothing_or_do_not_exist_have_no_threshold():
    vectors, labels = people()
    across = measure_thresholds(vectors, labels, across_only=True)
    assert list(across["pairs"]) == [ACROSS]
    labels.modality[:] = 0
    alone = measure_thresholds(vectors, labels)["pairs"]
    assert alone[ACROSS] == {
        "same_person_pairs": 0,
        "different_person_pairs": 0,
        "thresholds": {},
    }
    assert list(alone["within visible"]["thresholds"]) == ["0.01", "0.001"]
    assert alone["within infrared"]["thresholds"] == {}


def test_what_a_stranger_wrote_is_known_by_its_form():
    vectors, labels = people()
    good = measure_thresholds(vectors, labels) | {"group": "held-out people"}
    assert is_thresholds(good) and is_thresholds(None) and is_thresholds(good | {"pairs": {}})
    point = {"score": 0.5, "tpr": 1}
    for wrong in (
        [],
        good | {"group": "\x1b[2J"},
        good | {"group": ["x"]},
        good | {"people": True},
        good | {"pairs": None},
        good | {"pairs": {"within visible": good["pairs"]["within visible"]}},
        *(
            good | {"pairs": {ACROSS: kind}}
            for kind in (
                None,
                {"thresholds": []},
                {"thresholds": {"0.5": point}},
                {"thresholds": {"0.01": point | {"score": float("nan")}}},
                {"thresholds": {"0.01": point | {"tpr": "1"}}},
                {"thresholds": {"0.01": None}},
            )
        ),
    ):
        assert not is_thresholds(wrong), wrong


def test_thresholds_are_told_in_a_line():
    (none,) = threshold_lines(None)
    assert "train.eval_every" in none
    vectors, labels = people()
    found = measure_thresholds(vectors, labels) | {"group": "held-out people"}
    (line,) = threshold_lines(found)
    point = found["pairs"][ACROSS]["thresholds"]["0.01"]
    assert "9 held-out people" in line and f"{point['score']:.4f} at FPR 0.01" in line
    few = measure_thresholds(*people(count=2, images=1)) | {"group": "held-out people"}
    assert "too few pairs" in threshold_lines(few)[0]
