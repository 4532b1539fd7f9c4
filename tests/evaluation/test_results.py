"""Result files: what they hold against values computed here, and what pooling refuses."""

import csv
import io
import json
import os

import numpy as np
import pytest
from support.results import result

import dmcf_jax
from dmcf_jax.errors import UserError
from dmcf_jax.evaluation.evaluate_protocol import ProtocolResult, TrialResult
from dmcf_jax.evaluation.protocols import find_protocol
from dmcf_jax.evaluation.ranking.ranking import Metrics
from dmcf_jax.evaluation.results import (
    cmc_csv,
    markdown_table,
    mean_and_deviation,
    pool_trials,
    read_result,
    result_as_dict,
)
from dmcf_jax.reports.write import write_report


def test_the_file_holds_what_the_issue_asks_for(tmp_path):
    name = "sysu_mm01/all/single/python-seeded"
    made = result(name, numbers=range(10))
    paths = write_report(made, tmp_path / "evaluation")
    with open(tmp_path / "evaluation" / f"{name}.json") as file:
        read = json.load(file)
    assert read == made
    assert {os.path.splitext(path)[1] for path in paths} == {".json", ".md", ".csv", ".png", ".svg"}
    assert read["protocol"] == name
    assert read["definition"]["ignore"] == "cam3-cam2"
    assert read["package"] == {"name": "dmcf_jax", "version": dmcf_jax.__version__}
    assert read["checkpoint"] == {"step": 700, "chosen_by": "last"}
    assert read["dataset"] == {"official": True}
    assert read["trials"][3]["gallery_hash"] == "gallery3"
    assert read["trials"][3]["valid_queries"] == 28
    rank_1 = [0.5 + number / 100 for number in range(10)]
    assert read["mean"]["cmc"]["1"] == pytest.approx(np.mean(rank_1))
    assert read["std"]["cmc"]["1"] == pytest.approx(0.0302765)  # sqrt(0.00825 / 9)
    assert read["mean"]["mAP"] == pytest.approx(np.mean(rank_1) / 2)
    assert read["std"]["mINP"] == pytest.approx(0.0302765 / 4)


def test_nothing_half_written_is_left(tmp_path):
    write_report(result(), tmp_path)
    write_report(result(), tmp_path)
    assert sorted(os.listdir(tmp_path / "regdb")) == [
        f"visible-to-thermal.{suffix}" for suffix in ("csv", "json", "md", "png", "svg")
    ]


def test_the_figure_is_the_same_each_time(tmp_path):
    write_report(result(), tmp_path, "a")
    write_report(result(), tmp_path, "b")
    for suffix in (".png", ".svg"):
        assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"


def test_the_table_is_in_percent_with_two_decimals():
    table = markdown_table([result(numbers=(1,)), result(numbers=(0, 2), options=("flip",))])
    lines = table.splitlines()
    columns = "trials | rank-1 | rank-5 | rank-10 | rank-20 | mAP | mINP |"
    assert lines[0] == f"| protocol (± sample standard deviation, n - 1) | {columns}"
    assert lines[2].startswith("| regdb/visible-to-thermal | 1 | 51.00 | ")
    assert lines[2].endswith("| 100.00 | 25.50 | 12.75 |")
    assert "| regdb/visible-to-thermal, flip | 2 | 51.00 ± 1.41 |" in lines[3]
    assert len({line.count("|") for line in lines}) == 1


def test_a_short_curve_repeats_its_last_value_in_the_table():
    metrics = Metrics(np.array([0.25, 0.5]), 0.1, 0.1, 4, 4, 2)
    made = ProtocolResult(
        find_protocol("plain/visible-to-infrared"), (TrialResult(0, metrics, "", ""),)
    )
    table = markdown_table([result_as_dict(made, step=None, chosen_by="given")])
    assert "| 25.00 | 50.00 | 50.00 | 50.00 | 10.00 |" in table


def test_the_curve_as_csv():
    rows = list(csv.reader(io.StringIO(cmc_csv(result(numbers=(3, 4))))))
    assert rows[0] == ["rank", "mean", "std", "trial_3", "trial_4"]
    assert len(rows) == 21
    assert float(rows[1][1]) == pytest.approx(0.535)
    assert [float(value) for value in rows[1][3:]] == pytest.approx([0.53, 0.54])


def written(tmp_path, number, **changes):
    made = result(**{"numbers": (number,), **changes})
    paths = write_report(made, tmp_path / f"run{number}-{len(os.listdir(tmp_path))}")
    return paths[0]


def test_trials_of_several_models_are_pooled(tmp_path):
    paths = [written(tmp_path, number, step=number) for number in (3, 1, 2)]
    pooled = pool_trials(paths)
    assert [trial["trial"] for trial in pooled["trials"]] == [1, 2, 3]
    assert pooled["models"] == {"pooled": 3, "of": 10}
    assert pooled["mean"]["cmc"]["1"] == pytest.approx(0.52)
    assert pooled["std"]["mAP"] == pytest.approx(0.01 / 2)
    assert [part["checkpoint"]["step"] for part in pooled["pooled"]] == [3, 1, 2]
    assert "52.00 ± 1.00" in markdown_table([pooled])
    write_report(pooled, tmp_path / "pooled")


def test_what_does_not_belong_together_is_not_pooled(tmp_path):
    paths = [
        written(tmp_path, 1),
        written(tmp_path, 1),
        written(tmp_path, 2, name="regdb/thermal-to-visible"),
        written(tmp_path, 3, options=("flip",)),
    ]
    with pytest.raises(UserError) as error:
        pool_trials(paths)
    texts = [problem.text for problem in error.value.problems]
    assert set(error.value.about) == set(paths[1:])
    assert f"{paths[1]}: trial 1, as in {paths[0]}" in texts
    assert any(f'{paths[2]}: protocol is "regdb/thermal-to-visible"' in text for text in texts)
    assert any(f'{paths[3]}: options is ["flip"]' in text for text in texts)


def test_unreadable_results_are_told(tmp_path):
    path = tmp_path / "result.json"
    for contents in ("", "{}", "[1]", '{"protocol": '):
        path.write_text(contents)
        with pytest.raises(UserError) as error:
            read_result(path)
        assert error.value.about == (str(path),)
    with pytest.raises(UserError) as error:
        pool_trials([tmp_path / "nothing.json"])
    assert error.value.about == (str(tmp_path / "nothing.json"),)
    with pytest.raises(UserError) as error:
        pool_trials([])
    assert error.value.about == ("pool",)


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError) as error:
        write_report(result(), tmp_path / "file")
    assert error.value.about[0].startswith(str(tmp_path / "file"))


def test_the_deviation_is_that_of_a_sample():
    # (30 + 31 + 35) / 3 = 32; squares 4 + 1 + 9 = 14; divided by 2, not by 3.
    mean, deviation = mean_and_deviation([30.0, 31.0, 35.0])
    assert (mean, deviation) == (32, pytest.approx(7**0.5))
    means, deviations = mean_and_deviation([[1.0, 5.0], [3.0, 5.0]])
    assert means.tolist() == [2, 5] and deviations.tolist() == [pytest.approx(2**0.5), 0]
    assert mean_and_deviation([4.0]) == (4, 0)
