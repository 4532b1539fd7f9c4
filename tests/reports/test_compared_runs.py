"""Runs side by side, from folders that are written by hand."""

import json

import pytest
from support.browser import Page
from support.results import result

from dmcf_jax.config.validate import flatten
from dmcf_jax.configs import default
from dmcf_jax.errors import UserError
from dmcf_jax.reports import compared_runs
from dmcf_jax.reports.compared_runs import NONE, read_runs
from dmcf_jax.reports.html.compare_page import compare_page
from dmcf_jax.reports.html.line_chart import ticks


def write_run(folder, rank_1, fields=None, steps=700, data="a"):
    """Write a run of three logged steps whose loss falls from `rank_1`."""
    (folder / "evaluation").mkdir(parents=True)
    config = flatten(default.get_config()) | {"train.steps": steps} | (fields or {})
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "data.json").write_text(json.dumps({"records_sha256": {"train": data}}))
    lines = [{"step": n * 350, "loss": rank_1 / n, "L1": None} for n in (1, 2)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "evaluation" / "a.json").write_text(json.dumps(result(rank_1=rank_1)))
    summary = {"step": 700, "alarms": [], "rank-1": {}}
    (folder / "summary.json").write_text(json.dumps(summary))
    return folder


@pytest.fixture
def two(tmp_path):
    return [
        write_run(tmp_path / "wide" / "seed_0", 0.5, {"model.width": 64}),
        write_run(tmp_path / "thin" / "seed_0", 0.25, {"model.width": 16, "log_note": 1}),
    ]


@pytest.fixture(autouse=True)
def known_field(monkeypatch):
    monkeypatch.setattr("dmcf_jax.runs.folder.FIELDS", {*flatten(default.get_config()), "log_note"})


def test_runs_are_named_by_what_differs_in_their_paths(two):
    assert [run.name for run in read_runs(two)] == ["wide", "thin"]


def test_a_run_inside_the_folder_of_another_keeps_a_name(tmp_path):
    inner = write_run(tmp_path / "a" / "b", 0.5)
    outer = write_run(tmp_path / "c", 0.5)
    assert [run.name for run in read_runs([inner, outer])] == ["a/b", "c"]


def test_only_fields_that_differ_are_listed(two):
    rows = {row[0]: row[1:] for row in compared_runs.config_table(read_runs(two))[1:]}
    assert rows == {"model.width": ["64", "16"], "log_note": ["None", "1"]}


def test_figures_are_those_of_the_result_files(two):
    (two[1] / "evaluation" / "a.json").unlink()
    rows = {row[0]: row[1:] for row in compared_runs.figure_table(read_runs(two))}
    title = "regdb/visible-to-thermal"
    assert rows[f"{title}, rank-1, %"] == ["51.00", NONE]  # trial 1 adds a hundredth
    assert rows[f"{title}, mAP, %"] == ["25.50", NONE]
    assert rows["alarms of the training"] == ["no alarm", "no alarm"]


def test_curves_leave_out_what_was_not_finite(two):
    assert compared_runs.curves(read_runs(two)) == {
        "loss": {"wide": [(350, 0.5), (700, 0.25)], "thin": [(350, 0.25), (700, 0.125)]}
    }


def test_other_data_and_unfinished_runs_are_said(tmp_path, two):
    late = write_run(tmp_path / "late" / "seed_0", 0.5, steps=900, data="b")
    said = compared_runs.notes(read_runs([*two, late]))
    assert len(said) == 3  # other data; unfinished; evaluated at step 700 of 900
    assert not compared_runs.notes(read_runs(two))


def test_all_folders_without_a_run_are_named(tmp_path, two):
    with pytest.raises(UserError) as error:
        read_runs([two[0], tmp_path / "none", tmp_path / "nothing"])
    assert set(error.value.about) == {str(tmp_path / "none"), str(tmp_path / "nothing")}


def test_one_run_named_twice_is_nothing_to_compare(two):
    with pytest.raises(UserError) as error:
        read_runs([two[0], two[0]])
    assert error.value.about == ("runs",)


def test_a_pipe_in_a_value_keeps_the_table_whole():
    assert compared_runs.as_markdown([["a"], ["x|y"]]).splitlines()[2] == r"| x\|y |"


def test_the_page_shows_each_curve_in_the_colour_of_its_run(two):
    (two[0] / "metrics.jsonl").unlink()
    runs = read_runs([*two, write_run(two[0].parent / "more" / "seed_1", 0.75)])
    page = Page(compare_page(runs))
    styles = [tag["style"] for tag in page.all("polyline")]
    assert styles == ["stroke:var(--series-1)", "stroke:var(--series-2)"]
    assert {"wide/seed_0", "thin/seed_0"} <= set(page.texts)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 100, [0, 20, 40, 60, 80, 100]), (0.3, 1.1, [0.4, 0.6, 0.8, 1.0]), (7, 7, [7])],
)
def test_ticks_are_round(low, high, expected):
    assert ticks(low, high) == pytest.approx(expected)
