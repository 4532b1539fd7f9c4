"""Results on record: what agrees, what is told, and that the committed records are records."""

import copy
import json
from pathlib import Path

import pytest
from evaluation.test_results import result

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
    assert "largest difference is 0.0000 of 0.01" in check_against(path, [second, first])
    assert "is 0.0090 of 0.01" in check_against(path, [moved(first, 0.009), second])
    assert "is 0.0500 of 0.06" in check_against(path, [moved(first, -0.05), second], 0.06)


def test_all_differences_are_told_at_once(recorded):
    path, (first, second) = recorded
    with pytest.raises(UserError) as raised:
        check_against(path, [moved(first, -0.011), moved(second, 0.2, "mINP")])
    told = str(raised.value)
    assert f"{V2T}: mAP is {first['mean']['mAP'] - 0.011:.4f}, on record" in told
    assert f"{T2V}: mINP is" in told and "rank-1" not in told and "--record" in told


def test_a_better_result_is_a_difference_and_nan_agrees_with_nothing(recorded):
    path, (first, second) = recorded
    for by in (0.5, float("nan")):
        with pytest.raises(UserError, match="mAP is"):
            check_against(path, [moved(first, by), second], 0.3)


def test_other_data_and_missing_protocols_are_no_agreement(recorded):
    path, (first, second) = recorded
    other = copy.deepcopy(first)
    other["trials"][0]["gallery_hash"] = "another"
    with pytest.raises(UserError, match="(?s)other data .gallery_hash differ.*was not evaluated"):
        check_against(path, [other], 1.0)
    flipped = result(V2T, options=["flip"])
    with pytest.raises(UserError, match=f"{V2T} is on record, but was not evaluated"):
        check_against(path, [flipped, second])


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"tolerance": "x", "results": {}}', '{"tolerance": 1, "results": {}}',
     '{"tolerance": 1, "results": {"a": {"metrics": {"mAP": "high"}}}}'],
)  # fmt: skip
def test_a_file_that_is_no_record_is_refused(tmp_path, content):
    (tmp_path / "record.json").write_text(content)
    with pytest.raises(UserError, match="it is no record.*--record="):
        check_against(tmp_path / "record.json", [result()])
    with pytest.raises(UserError, match="No such file"):
        check_against(tmp_path / "none.json", [result()])


def test_commands_record_or_check_but_not_both(tmp_path):
    path = str(tmp_path / "record.json")
    compare([result()], None, path, 0.02)
    assert json.loads(Path(path).read_text())["tolerance"] == 0.02
    compare([result()], path, None)
    with pytest.raises(UserError, match="not both"):
        compare([result()], path, path)
    with pytest.raises(UserError, match="--tolerance=-1"):
        compare([result()], path, None, -1.0)


@pytest.mark.parametrize("path", sorted((Path(__file__).parents[2] / "docs/expected").glob("*")))
def test_committed_records_can_be_read(path):
    with pytest.raises(UserError, match="but was not evaluated"):
        check_against(path, [])
