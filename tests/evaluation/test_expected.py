"""Recorded results: what matches, what is reported, and that the committed records are records."""

import copy
import json
from pathlib import Path

import pytest
from support.results import result

from dmcf_jax.errors import UserError
from dmcf_jax.evaluate import compare
from dmcf_jax.evaluation.expected import check_against, write_record

V2T, T2V = "regdb/visible-to-thermal", "regdb/thermal-to-visible"


@pytest.fixture
def recorded(tmp_path):
    """A file with both directions on record, and what they were."""
    results = [result(V2T), result(T2V, rank_1=0.3)]
    write_record(tmp_path / "record.json", results, 0.01)
    return tmp_path / "record.json", results


def moved(made, by, field="mAP"):
    made = copy.deepcopy(made)
    made["mean"][field] += by
    return made


def test_the_same_results_agree_and_others_within_the_tolerance(recorded):
    path, (first, second) = recorded
    assert "0.0000 (tolerance 0.01)" in check_against(path, [second, first])
    assert "0.0090 (tolerance 0.01)" in check_against(path, [moved(first, 0.009), second])
    assert "0.0500 (tolerance 0.06)" in check_against(path, [moved(first, -0.05), second], 0.06)


def test_all_differences_are_reported_at_once(recorded):
    path, (first, second) = recorded
    with pytest.raises(UserError) as raised:
        check_against(path, [moved(first, -0.011), moved(second, 0.2, "mINP")])
    assert raised.value.about == (f"{V2T}: mAP", f"{T2V}: mINP")
    assert f"is {first['mean']['mAP'] - 0.011:.4f}, on record" in raised.value.problems[0].text
    assert "--record" in str(raised.value)


def test_a_better_result_is_a_difference_and_nan_agrees_with_nothing(recorded):
    path, (first, second) = recorded
    for by in (0.5, float("nan")):
        with pytest.raises(UserError) as raised:
            check_against(path, [moved(first, by), second], 0.3)
        assert raised.value.about == (f"{V2T}: mAP",)


def test_other_data_and_missing_protocols_are_no_agreement(recorded):
    path, (first, second) = recorded
    other = copy.deepcopy(first)
    other["trials"][0]["gallery_hash"] = "another"
    with pytest.raises(UserError) as raised:
        check_against(path, [other], 1.0)
    assert raised.value.about == (V2T, T2V)
    assert "gallery_hash" in raised.value.problems[0].text
    flipped = result(V2T, options=["flip"])
    with pytest.raises(UserError) as raised:
        check_against(path, [flipped, second])
    assert raised.value.about == (V2T,)


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"tolerance": "x", "results": {}}', '{"tolerance": 1, "results": {}}',
     '{"tolerance": 1, "results": {"a": {"metrics": {"mAP": "high"}}}}'],
)  # fmt: skip
def test_a_file_that_is_no_record_is_refused(tmp_path, content):
    (tmp_path / "record.json").write_text(content)
    for name, why in (("record.json", "it is no record.*--record="), ("none.json", "No such file")):
        with pytest.raises(UserError, match=why) as raised:
            check_against(tmp_path / name, [result()])
        assert raised.value.about == (str(tmp_path / name),)


def test_commands_record_or_check_but_not_both(tmp_path):
    path = str(tmp_path / "record.json")
    compare([result()], None, path, 0.02)
    assert json.loads(Path(path).read_text())["tolerance"] == 0.02
    compare([result()], path, None)
    with pytest.raises(UserError) as raised:
        compare([result()], path, path)
    assert raised.value.about == ("--expect",)
    with pytest.raises(UserError) as raised:
        compare([result()], path, None, -1.0)
    assert raised.value.about == ("--tolerance",)


@pytest.mark.parametrize(
    "path", sorted((Path(__file__).parents[2] / "docs/expected").rglob("*.json"))
)
def test_committed_records_can_be_read(path):
    with pytest.raises(UserError) as raised:
        check_against(path, [])
    assert raised.value.about == tuple(json.loads(path.read_text())["results"])
