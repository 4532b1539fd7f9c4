"""A subset in an official layout: some trials, a test set alone, links, and how it is told."""

import json
import os

import pytest
from support.results import result
from support.trees import noise, write_llcm, write_regdb, write_sysu_mm01, write_text

from dmcf_jax.data.datasets import find_dataset, own
from dmcf_jax.data.records import prepared
from dmcf_jax.data.records.prepare import parse_trials, prepare
from dmcf_jax.data.records.verify_records import verify_prepared
from dmcf_jax.errors import UserError
from dmcf_jax.evaluation.results import markdown_table, marked_title, pool_trials, title
from dmcf_jax.runtime.files import write_atomically


def refused(function, *arguments, **options):
    with pytest.raises(UserError) as error:
        function(*arguments, **options)
    return error.value


@pytest.mark.parametrize(
    ("given", "numbers"), [("3", (3,)), ("1,2,3", (1, 2, 3)), ("1-3,7", (1, 2, 3, 7)), (2, (2,))]
)
def test_several_trials_can_be_named(given, numbers):
    assert parse_trials(find_dataset("regdb"), given) == numbers


@pytest.mark.parametrize("given", ["0", "11", "1,11", "1;2", "", "3-1", "one", "-1"])
def test_trials_that_are_not_there_are_refused(given):
    assert refused(parse_trials, find_dataset("regdb"), given).about == ("--trial",)


def test_the_trials_with_lists_are_named_where_others_have_none(tmp_path):
    write_regdb(tmp_path / "source", trials=(1, 2, 3))
    error = refused(prepare, "regdb", tmp_path / "source", tmp_path / "data", unofficial=True)
    assert error.about == ("--trial",) and "--trial=1,2,3" in str(error)
    made = prepare("regdb", tmp_path / "source", tmp_path / "data", trial="1-3", unofficial=True)
    assert [item.trial for item in made] == [1, 2, 3]


def test_the_cure_of_a_damaged_subset_has_its_trials_and_says_unofficial(tmp_path):
    write_regdb(tmp_path / "source", trials=(1, 2))
    prepare("regdb", tmp_path / "source", tmp_path / "data", trial="1,2", unofficial=True)
    where = prepared.directory("regdb", tmp_path / "data", 2)
    text = (where / "metadata.json").read_text()
    digest = prepared.read_metadata("regdb", tmp_path / "data", 2)["records_sha256"]["test"]
    (where / "metadata.json").write_text(text.replace(digest, "0" * 64))
    error = refused(verify_prepared, "regdb", tmp_path / "data")
    assert "--trial=1,2 --unofficial" in str(error)


@pytest.mark.parametrize(
    ("name", "write", "lists"),
    [
        ("regdb", lambda root: write_regdb(root, trials=(1,)), "idx/train_*.txt"),
        ("llcm", write_llcm, "idx/train_*.txt"),
        ("sysu_mm01", lambda root: write_sysu_mm01(root, images=1), "exp/[tv][ra]*_id.txt"),
    ],
)
def test_a_test_set_alone_is_a_subset(tmp_path, name, write, lists):
    source = tmp_path / "source"
    write(source)
    for path in source.glob(lists):
        path.unlink()
    options = {"trial": 1} if name == "regdb" else {}
    error = refused(prepare, name, source, tmp_path / "data", **options)
    assert any("train" in about for about in error.about) and "--unofficial" in str(error)
    (made,) = prepare(name, source, tmp_path / "data", unofficial=True, **options)
    assert set(made.metadata["counts"]) == {"test"}


def test_a_lost_test_list_is_no_subset(tmp_path):
    write_sysu_mm01(tmp_path / "source", images=1)
    (tmp_path / "source/exp/test_id.txt").unlink()
    error = refused(prepare, "sysu_mm01", tmp_path / "source", tmp_path / "d", unofficial=True)
    assert "exp/test_id.txt" in error.about


def test_many_links_that_lead_out_are_one_problem(tmp_path):
    write_regdb(tmp_path / "far", ids=4, images=3, trials=(1,))
    for path in (tmp_path / "far").rglob("*.bmp"):
        link = tmp_path / "near" / path.relative_to(tmp_path / "far")
        link.parent.mkdir(parents=True, exist_ok=True)
        os.symlink(path, link)
    os.symlink(tmp_path / "far/idx", tmp_path / "near/idx")
    error = refused(prepare, "regdb", tmp_path / "near", tmp_path / "d", trial=1, unofficial=True)
    links = [problem for problem in error.problems if "lead out" in problem.text]
    assert [problem.about for problem in links] == ["Visible", "Thermal"]
    assert "12 links" in links[0].text


def test_a_word_that_is_wrong_in_many_rows_is_one_problem(tmp_path):
    noise(tmp_path / "a.png", 1)
    rows = [f"a.png,{n},thermal" for n in range(1000)]
    write_text(tmp_path / "list.csv", "\n".join(["path,identity,modality", *rows]))
    problems = own.inspect(tmp_path / "list.csv", 0.5).listing.problems
    (one,) = [problem for problem in problems if "thermal" in problem.text]
    assert one.about == "modality" and "1000 (row 10, row 100, row 1000, ...)" in one.text


def unofficial(number, path):
    made = result(numbers=(number,))
    made["data"] = {"dataset": "regdb", "official": False, "unofficial": True, "counts": {}}
    write_atomically(path, json.dumps(made))
    return made


def test_unofficial_data_are_told_in_every_table_and_in_pooled_results(tmp_path):
    paths = [tmp_path / f"{number}.json" for number in (1, 2, 3)]
    single = [unofficial(number, path) for number, path in enumerate(paths, 1)][0]
    assert "unofficial data" in markdown_table([single]) and title(single) == single["protocol"]
    pooled = pool_trials(paths)
    assert pooled["data"]["unofficial"] and pooled["data"]["dataset"] == "regdb"
    assert marked_title(pooled).endswith("(unofficial data; 3 of 10 trials)")
