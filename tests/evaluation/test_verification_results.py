"""Verification in result files, pooled and as a table: means over trials, and what is missing."""

import json
import statistics

import numpy as np
import pytest
from support.results import result

from dmcf_jax.data.image_store import ImageStore
from dmcf_jax.evaluation.evaluate_protocol import evaluate_protocols
from dmcf_jax.evaluation.protocols import find_protocol
from dmcf_jax.evaluation.ranking.query_expansion import QueryExpansion
from dmcf_jax.evaluation.ranking.reranking import KReciprocal
from dmcf_jax.evaluation.results import pool_trials, result_as_dict
from dmcf_jax.evaluation.verification import RATES
from dmcf_jax.evaluation.verification_results import NON_MATED
from dmcf_jax.evaluation.verification_table import verification_table
from dmcf_jax.reports.html.roc_chart import roc_chart
from dmcf_jax.reports.write import write_report

LLCM = find_protocol("llcm/infrared-to-visible")  # ten draws, and pairs that are ignored


def split(n=120):
    draw = np.random.default_rng(0)
    identity, camera = draw.integers(0, 8, n), draw.integers(1, 4, n)
    vectors = draw.standard_normal((n, 10)) + 1.5 * np.eye(8, 10)[identity]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = [values.astype(np.int32) for values in (identity, camera, np.arange(n) % 2)]
    paths = np.array([f"{row:03d}.png" for row in range(n)])
    return vectors.astype(np.float32), ImageStore(np.zeros((n, 1, 1, 3), np.uint8), *labels, paths)


def as_dict(made):
    return result_as_dict(made, step=3, chosen_by="last")


@pytest.fixture(scope="module")
def verified():
    vectors, store = split()
    (made,) = evaluate_protocols([LLCM], vectors, store, verification=True)
    return as_dict(made)


def test_means_are_over_the_rates_of_the_trials(verified):
    trials = [trial["verification"] for trial in verified["trials"]]
    assert len(trials) == 10
    for name, average in (("mean", statistics.mean), ("std", statistics.stdev)):
        found = verified[name]["verification"]
        assert found["eer"] == pytest.approx(average(trial["eer"] for trial in trials))
        for rate in ("0.1", "0.001", "0.0251"):
            values = [trial["tpr_at_fpr"][rate] for trial in trials]
            assert found["tpr_at_fpr"][rate] == pytest.approx(average(values), abs=1e-12)
        for kind in NON_MATED:
            values = [trial["open_set"][kind]["dir_at_far"]["0.1"] for trial in trials]
            assert found["dir_at_far"][kind]["0.1"] == pytest.approx(average(values), abs=1e-12)
    assert json.loads(json.dumps(verified, allow_nan=False)) == verified


def test_one_matrix_for_all_trials_changes_no_rate(verified):
    vectors, store = split()
    (made,) = evaluate_protocols([LLCM], vectors, store, verification=True, matrix_bytes=0)
    again = as_dict(made)
    # Cosines of tiles of another shape may differ in the last bit, and thresholds are cosines.
    assert again["mean"] == verified["mean"] and again["std"] == verified["std"]
    for one, other in zip(again["trials"], verified["trials"], strict=True):
        found, expected = one["verification"], other["verification"]
        assert found["thresholds"] == pytest.approx(expected["thresholds"], abs=1e-6)


def test_pairs_are_those_that_the_protocol_does_not_ignore(verified):
    trial = verified["trials"][0]
    pairs = trial["verification"]
    counted = pairs["same_person_pairs"] + pairs["different_person_pairs"]
    assert 0 < counted < trial["queries"] * trial["gallery"]


def test_what_looks_at_the_entire_gallery_is_not_verified():
    vectors, store = split()
    for options in ({"reranking": KReciprocal()}, {"query_expansion": QueryExpansion()}, {}):
        (made,) = evaluate_protocols(
            [find_protocol("plain/visible-to-infrared")],
            vectors,
            store,
            verification=bool(options),
            **options,
        )
        found = as_dict(made)
        assert "verification" not in found["trials"][0] and "verification" not in found["mean"]
        assert verification_table([found]) == ""


def test_the_table_shows_percent_with_deviation_and_marks_rates_that_are_too_low(verified):
    lines = verification_table([verified]).splitlines()
    cells = [cell.strip() for cell in lines[2].strip("|").split("|")]
    header = [cell.strip() for cell in lines[0].strip("|").split("|")]
    row = dict(zip(header, cells, strict=True))
    mean, spread = (100 * verified[name]["verification"]["eer"] for name in ("mean", "std"))
    assert row["EER"] == f"{mean:.2f} ± {spread:.2f}" and row["protocol"] == LLCM.name
    few = min(t["verification"]["different_person_pairs"] for t in verified["trials"])
    assert 1000 <= few < 10_000
    marked = [row[f"TPR at FPR {rate:g}"].endswith("*") for rate in RATES]
    assert marked == [False, False, False, True]
    assert "±" in row["DIR at FAR 0.01"] and "±" in row["DIR at FAR 0.01, removed"]
    assert any(line.startswith("* There are fewer") for line in lines)


def test_files_hold_the_table_and_older_results_are_still_read(verified, tmp_path):
    write_report(verified, tmp_path)
    text = (tmp_path / f"{LLCM.name}.md").read_text()
    assert "mINP" in text and verification_table([verified]) in text
    old = result()
    assert verification_table([old]) == "" and roc_chart([old]) == ""
    assert len(verification_table([old, verified]).splitlines()) == len(
        verification_table([verified]).splitlines()
    )


def test_pooled_results_have_rates_only_if_all_have(tmp_path):
    vectors, store = split()
    (made,) = evaluate_protocols(
        [find_protocol("regdb/visible-to-thermal")],
        vectors,
        store,
        first_trial=1,
        verification=True,
    )
    paths = []
    for number, verification in ((1, True), (2, True), (3, False)):
        one = as_dict(made)
        one["trials"][0]["trial"] = number
        assert "| - |" in verification_table([one])  # everybody is in the gallery
        if not verification:
            for part in (one["mean"], one["std"], one["trials"][0]):
                del part["verification"]
        write_report(one, tmp_path, f"trial_{number}")
        paths.append(tmp_path / f"trial_{number}.json")
    eer = made.trials[0].verification.roc.eer
    assert pool_trials(paths[:2])["mean"]["verification"]["eer"] == pytest.approx(eer)
    assert "verification" not in pool_trials(paths)["mean"]


def test_the_chart_draws_every_rate_that_the_pairs_can_show(verified):
    few = min(t["verification"]["different_person_pairs"] for t in verified["trials"])
    rates = verified["mean"]["verification"]["tpr_at_fpr"]
    svg = roc_chart([verified])
    shown = [rate for rate in rates if float(rate) * few >= 1]
    assert svg.count("<circle") == len(shown) < len(rates)
    for rate in shown:
        assert f"<title>FPR {rate}: TPR {100 * rates[rate]:.2f} %</title>" in svg
