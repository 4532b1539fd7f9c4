"""Figures of runs of several methods, from result files: figure 3, and those that only DMCF has."""

import csv
import json

import pytest
from support import tiny
from support.results import result

from dmcf_jax.data.datasets import DATASETS
from dmcf_jax.errors import UserError
from dmcf_jax.methods.dmcf.published import TABLE_1
from dmcf_jax.reports.figures.draw import draw
from dmcf_jax.runs.folder import write_run_info

PROTOCOLS = DATASETS["regdb"].protocols
RANK_1 = {"no_mtl": 0.1, "hog": 0.2, "mine": 0.3, "bdtr": 0.4, "dmcf": 0.5}


def write_run(folder, rank_1, variant=""):
    write_run_info(folder, tiny.config({"variant": variant}))
    for protocol in PROTOCOLS:
        file = folder / f"evaluation/{protocol}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        made = result(protocol, rank_1=rank_1)
        made["data"] = {"dataset": "regdb", "official": True}
        file.write_text(json.dumps(made))


def drawn(folder):
    draw(["3"], folder)
    with open(folder / "figures/figure_3_cmc.csv", newline="") as file:
        return list(csv.DictReader(file)), (folder / "figures/figure_3_cmc.svg").read_text()


def test_every_method_that_was_run_has_a_curve(tmp_path):
    for row, rank_1 in RANK_1.items():
        write_run(tmp_path / row / "trial_1_seed_0", rank_1)
    lines, text = drawn(tmp_path)
    ours = {
        line["series"]: float(line["mean_percent"])
        for line in lines
        if (line["source"], line["protocol"], line["rank"]) == ("ours", PROTOCOLS[0], "1")
    }
    # Ablations are figure 4's; `result` adds 1 % for its trial.
    expected = {row: 100 * (RANK_1[row] + 0.01) for row in ("dmcf", "hog", "bdtr", "mine")}
    assert ours == pytest.approx(expected) and list(ours) == ["dmcf", "hog", "bdtr", "mine"]
    assert {line["series"] for line in lines if line["source"] == "published"} == set(
        TABLE_1["regdb"]
    )
    for title in ("DMCF", "HOG", "BDTR (baseline)", "mine"):
        assert f"{title} (dmcf_jax)" in text
    assert "HOG (13.49 %)" in text


def test_methods_are_drawn_without_a_run_of_the_papers_method(tmp_path):
    write_run(tmp_path / "hog/trial_1_seed_0", 0.2)
    lines, _ = drawn(tmp_path)
    assert {line["series"] for line in lines if line["source"] == "ours"} == {"hog"}


def test_a_single_run_is_called_after_its_row(tmp_path):
    write_run(tmp_path, 0.2, variant="zero_padding")
    _, text = drawn(tmp_path)
    assert "Zero-Padding (dmcf_jax)" in text


def test_ablations_alone_have_no_figure_3(tmp_path):
    write_run(tmp_path / "no_mtl/trial_1_seed_0", 0.2)
    with pytest.raises(UserError) as caught:
        draw(["3"], tmp_path)
    assert caught.value.about == ("--workdir",)


@pytest.mark.parametrize("row", ["hog", "bdtr"])
def test_figures_of_levels_and_sigmas_name_the_method_that_has_none(row, tmp_path):
    write_run_info(tmp_path, tiny.config(variant=row))
    with pytest.raises(UserError) as caught:
        draw(["5", "6"] if row == "hog" else ["6"], tmp_path)
    assert caught.value.about == ("method.name",) * (2 if row == "hog" else 1)
