"""A search with a threshold: which matches are accepted, who matches nobody, what is refused."""

import dataclasses
import json

import numpy as np
import pytest
from support.browser import Page
from support.toys import toy_model, write_people

from dmcf_jax.errors import UserError
from dmcf_jax.retrieval.threshold import find_threshold
from dmcf_jax.search import SearchOptions, run_search, table

RECORDED = {
    "group": "held-out people",
    "people": 40,
    "pairs": {
        "across modalities": {"thresholds": {"0.01": {"score": 0.25}, "0.001": {"score": 0.5}}},
        "within visible": {"thresholds": {"0.01": {"score": 0.75}}},
        "within infrared": {"thresholds": {}},
    },
}


def model(thresholds=RECORDED):
    return dataclasses.replace(toy_model(), thresholds=thresholds)


@pytest.fixture
def search(tmp_path, monkeypatch):
    """Search among pictures of noise by a toy model; options by name."""
    root = write_people(tmp_path / "people")
    usual = {
        "model": "toy",
        "gallery": str(root),
        "query": str(root),
        "query_modality": "infrared",
        "gallery_modality": "visible",
        "json": str(tmp_path / "found.json"),
        "html": str(tmp_path / "found.html"),
    }

    def run(used=None, **options):
        monkeypatch.setattr("dmcf_jax.search.load_model", lambda source: used or model())
        return run_search(SearchOptions(**usual | options))

    return run


def refused(function, *arguments, **options):
    with pytest.raises(UserError) as error:
        function(*arguments, **options)
    return error.value


def test_a_rate_takes_the_recorded_score_of_each_kind_of_pair():
    for text in ("1e-2", "0.01", ".010"):
        found = find_threshold(text, model())
        assert found.scores == {"across modalities": 0.25, "within visible": 0.75}
        assert "FPR 0.01" in found.basis and "40 held-out people" in found.basis
    assert found.accepts(0.25, "visible", "infrared")
    assert not found.accepts(float(np.nextafter(0.25, 0)), "infrared", "visible")
    assert not found.accepts(0.5, "visible", "visible")
    assert refused(found.accepts, 0.9, "infrared", "infrared").about == ("--threshold",)


def test_any_other_number_is_the_score_itself():
    found = find_threshold("-0.125", model(None))
    assert set(found.scores.values()) == {-0.125} and len(found.scores) == 3


@pytest.mark.parametrize("text", ["1e-4", "1e-2x", "", "2", "-1.01", "nan", "inf"])
def test_what_is_no_threshold_is_refused(text):
    assert refused(find_threshold, text, model()).about == ("--threshold",)


def test_a_rate_without_recorded_thresholds_says_how_to_get_them():
    error = refused(find_threshold, "1e-3", model(None))
    assert error.about == ("--threshold",) and "train.eval_every" in str(error)


def test_matches_from_the_threshold_on_are_accepted_and_nobody_is_said(search, tmp_path):
    plain = search()
    assert "threshold" not in plain and "accepted" not in plain["results"][0]
    assert "accepted" not in table(plain)
    scores = sorted({result["matches"][0]["score"] for result in plain["results"]})
    score = scores[len(scores) // 2]  # half of the queries match nobody
    found = search(threshold=f"{score - 1e-5:.6f}")
    assert found == json.loads((tmp_path / "found.json").read_text())
    for before, result in zip(plain["results"], found["results"], strict=True):
        expected = [match["score"] >= score - 1e-5 for match in before["matches"]]
        assert [match["accepted"] for match in result["matches"]] == expected
        assert [match["score"] for match in result["matches"]] == [
            match["score"] for match in before["matches"]
        ]
        assert result["accepted"] == sum(expected)
    nobody = [result["path"] for result in found["results"] if not result["accepted"]]
    assert 0 < len(nobody) < len(found["results"])
    lines = table(found).splitlines()
    assert [line.split(" | ")[0][2:] for line in lines if "| nobody |" in line] == nobody
    assert f"{len(nobody)} of {len(found['results'])} queries match nobody" in lines[-1]
    page = Page((tmp_path / "found.html").read_text())
    figures = [a["class"].split() for a in page.all("figure") if "data-camera" in a]
    accepted = [match["accepted"] for result in found["results"] for match in result["matches"]]
    assert ["pale" not in kinds for kinds in figures] == accepted
    assert sum(text.endswith(": nobody") for text in page.texts) == len(nobody)
    assert any("does not carry over to other cameras" in text for text in page.texts)


def test_mistakes_are_found_before_anything_is_embedded(search):
    calls = []
    used = dataclasses.replace(toy_model(calls=calls), thresholds=None)
    assert refused(search, used, threshold="1e-3").about == ("--threshold",)
    error = refused(search, used, threshold="yes", top=0)
    assert set(error.about) == {"--threshold", "--top"} and calls == []
