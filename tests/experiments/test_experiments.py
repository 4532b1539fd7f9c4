"""The paper's tables as commands: planning, running what is missing, and the numbers in the cells.

Cells are compared with NumPy over the result files; two variants of a tiny network are trained
and evaluated on a RegDB tree.
"""

import csv
import json
import re
import signal
import time

import numpy as np
import pytest
from support import tiny
from support.commands import environment, run, start
from support.trees import write_regdb

from dmcf_jax.configs.default import COMPARED
from dmcf_jax.data.records.prepare import prepare
from dmcf_jax.errors import UserError
from dmcf_jax.experiments import rows as row_names
from dmcf_jax.experiments import runner, tables
from dmcf_jax.experiments.plan import Run, plan
from dmcf_jax.experiments.run_table import run_experiment, write_tables
from dmcf_jax.experiments.status import RunStatus, overview, result_file, seconds_left, status
from dmcf_jax.experiments.table_1 import comparison
from dmcf_jax.methods.dmcf import published
from dmcf_jax.runs.collection import runs_of

V2T, T2V = "regdb/visible-to-thermal", "regdb/thermal-to-visible"
# `mtl.start_step` is set so that the compiled step is the same for any number of steps.
CHANGES = {"model.width": 2, "model.embedding_dim": 4, "sampler.P": 2, "train.steps": 4}
TINY = tiny.as_flags(CHANGES | {"mtl.start_step": 2}, "")


def names(runs):
    return [run.name for run in runs]


def test_each_table_has_the_papers_rows(tmp_path):
    rows = {
        table: [run.row for run in plan(table, "synthetic", tmp_path, seeds=[0])]
        for table in (1, 2, 3)
    }
    assert rows[1] == "hog lomo one_stream two_stream zero_padding bdtr dmcf".split()
    assert rows[2] == ["dcf", "no_split", "no_mtl", "dmcf"]
    assert rows[3] == ["feature_1_2_3_4", "feature_2_4", "feature_2_3", "feature_3_4", "dmcf"]
    levels = {run.row: run.config.model.levels for run in plan(3, "regdb", tmp_path, trials=[1])}
    assert levels["feature_2_4"] == ("layer2", "layer4")
    assert levels["dmcf"] == ("layer2", "layer3", "layer4")


def test_splits_and_seeds_are_those_of_the_data(tmp_path):
    only = {"rows": ["dmcf"]}
    assert len(plan(1, "regdb", tmp_path, **only)) == 10  # ten splits, one model each
    one = {"trials": [3], "seeds": [4]}
    assert names(plan(1, "regdb", tmp_path, **only, **one)) == ["dmcf/trial_3_seed_4"]
    assert names(plan(1, "sysu_mm01", tmp_path, **only)) == ["dmcf/seed_0"]
    (run,) = plan(1, "regdb", tmp_path, **only, **one, settings=["train.steps=7"])
    assert (run.config.data.trial, run.config.seed, run.config.train.steps) == (3, 4, 7)
    with pytest.raises(UserError) as refused:
        plan(1, "sysu_mm01", tmp_path, trials=[1])
    assert refused.value.about == ("--trials",)


def test_a_config_of_ones_own_is_a_row(tmp_path):
    mine = tmp_path / "mine.py"
    mine.write_text(
        "from dmcf_jax.configs import synthetic\n"
        "def get_config(arg=''):\n"
        "    config = synthetic.get_config()\n"
        "    config.loss.margin = float(arg or 1)\n"
        "    return config\n"
    )
    runs = plan(2, "synthetic", tmp_path, seeds=[0], rows=["dmcf", f"{mine}:0.3"])
    assert [run.row for run in runs] == ["dmcf", "mine_0.3"]
    assert runs[1].config.loss.margin == 0.3


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"rows": ["no_spilt", "dmcf"]}, "no_spilt: unknown variant 'no_spilt', expected one of"),
        ({"settings": ["train.stps=4"]}, "did you mean 'steps'"),
        ({"settings": ["train.steps=0"]}, "train.steps: is 0"),
        ({"trials": [11]}, "data.trial: is 11"),
        ({"seeds": [1, 1]}, "dmcf/trial_1_seed_1 is asked for twice"),
        ({"rows": ["missing.py"]}, "there is no file missing.py"),
    ],
)
def test_what_cannot_be_planned_is_refused_at_once(tmp_path, choices, words):
    with pytest.raises(UserError, match=re.escape(words)):
        plan(2, "synthetic", tmp_path, **choices)
    assert not list(tmp_path.iterdir())


def test_wrong_flags_are_named_together(tmp_path):
    with pytest.raises(UserError) as refused:
        run_experiment(4, "market", tmp_path, jobs=0)
    assert refused.value.about == ("--table", "--data", "--jobs")


def test_table_1_runs_every_method_of_the_paper(tmp_path):
    for data in ("regdb", "sysu_mm01"):
        planned = [run.row for run in plan(1, data, tmp_path, trials=[1] * (data == "regdb"))]
        assert planned == [*published.TABLE_ROWS[1]]
        methods = {run.row: run.config.method.name for run in plan(1, data, tmp_path)}
        assert methods["zero_padding"] == "identity" and methods["mlapg"] == "mlapg"
    assert set(row_names.BASIS) == {*COMPARED, "dmcf"}


def test_a_matcher_runs_once_a_split_and_others_once_a_seed(tmp_path):
    runs = plan(1, "synthetic", tmp_path, rows=["hog", "bdtr"], seeds=[3, 1, 2], trials=[1, 2])
    hog = [run.name for run in runs if run.row == "hog"]
    assert hog == ["hog/trial_1_seed_3", "hog/trial_2_seed_3"]
    assert sorted((run.trial, run.seed) for run in runs if run.row == "bdtr") == [
        (trial, seed) for trial in (1, 2) for seed in (1, 2, 3)
    ]


def test_a_matcher_has_no_training_left(tmp_path):
    runs = plan(1, "synthetic", tmp_path, rows=["hog", "bdtr"], seeds=[0])
    assert seconds_left(runs, {"bdtr": 0.5}) == {"bdtr/trial_1_seed_0": 0.5 * 200}
    assert overview(runs).row_count == 2


@pytest.mark.parametrize(
    ("step", "evaluated", "state"),
    [
        (0, False, "missing"),
        (2, False, "begun"),
        (4, False, "not evaluated"),
        (4, True, "finished"),
    ],
)
def test_a_run_has_one_of_four_states(step, evaluated, state):
    assert str(RunStatus(step, 4, evaluated)) == state


def test_runs_are_started_through_the_package(tmp_path):
    (run,) = plan(2, "regdb", tmp_path, rows=["no_mtl"], trials=[1])
    assert run.train_command()[1:5] == ["-P", "-m", "dmcf_jax.cli.train", "--config=regdb:no_mtl"]
    assert run.evaluate_command()[1:] == [
        *("-P", "-m", "dmcf_jax.cli.evaluate", f"--workdir={run.folder}")
    ]


def test_slots_share_cores_and_devices_without_overlap():
    for count in (1, 2, 5, 8):
        for jobs in (1, 2, 3):
            parts = [runner.share(range(count), slot, jobs) for slot in range(jobs)]
            if count >= jobs:
                assert sorted(sum(parts, [])) == list(range(count))
                assert all(parts)
    assert runner.devices_of(1, 2, {"CUDA_VISIBLE_DEVICES": "0,3,5,7"}) == {
        "CUDA_VISIBLE_DEVICES": "5,7"
    }
    assert runner.devices_of(0, 2, {}) == {}


def test_a_run_that_another_process_has_finished_ends_without_a_process(tmp_path):
    (run,) = plan(2, "regdb", tmp_path, rows=["no_mtl"], trials=[1], settings=["train.steps=4"])
    (run.folder / "checkpoints/4").mkdir(parents=True)
    for protocol in run.protocols():
        result_file(run, protocol).parent.mkdir(parents=True, exist_ok=True)
        result_file(run, protocol).write_text(json.dumps({"checkpoint": {"step": 4}}))
    job = runner.Job(run, 0, 1, tmp_path / "logs")
    assert job.ended() and job.problem is None
    job.stop()  # nothing to stop
    assert not (tmp_path / "logs").exists()


# Results written by hand; the cells are computed from them independently.


def result_of(seed, trials, official, dataset="regdb"):
    draw = np.random.default_rng(seed)
    curves = np.sort(draw.random((trials, 20)), axis=1)
    maps = draw.random((trials, 2))

    def metrics(curve, values):
        return {
            "cmc": {str(k + 1): float(v) for k, v in enumerate(curve)},
            "mAP": float(values[0]),
            "mINP": float(values[1]),
        }

    return {
        "checkpoint": {"step": 4},
        "data": {"dataset": dataset, "official": official},
        "trials": [metrics(*pair) for pair in zip(curves, maps, strict=True)],
        "mean": metrics(curves.mean(0), maps.mean(0)),
    }


def written_runs(folder, rows, official=True, trials=1, dataset="regdb", protocol=V2T):
    runs, results = [], {}
    for row in rows:
        for seed in range(3):
            run = Run(row, (), 1, seed, folder / row / f"trial_1_seed_{seed}")
            path = result_file(run, protocol)
            path.parent.mkdir(parents=True)
            results[row, seed] = result_of(hash_of(row, seed), trials, official, dataset)
            path.write_text(json.dumps(results[row, seed]))
            runs.append(run)
    return runs, results


def hash_of(row, seed):
    return sum(map(ord, row)) * 10 + seed


def test_cells_are_means_and_deviations_over_runs(tmp_path):
    runs, results = written_runs(tmp_path, ["no_mtl", "dmcf"])
    no_mtl, whole = tables.gather(runs, V2T)
    at_10 = [100 * results["no_mtl", seed]["mean"]["cmc"]["10"] for seed in range(3)]
    assert no_mtl.values["CMC-10"].mean == pytest.approx(np.mean(at_10), rel=1e-12)
    assert no_mtl.values["CMC-10"].deviation == pytest.approx(np.std(at_10, ddof=1), rel=1e-12)
    gains = [
        100 * (results["no_mtl", s]["mean"]["cmc"]["1"] - results["dmcf", s]["mean"]["cmc"]["1"])
        for s in range(3)
    ]
    assert no_mtl.gain.mean == pytest.approx(np.mean(gains), rel=1e-9)
    assert no_mtl.gain.deviation == pytest.approx(np.std(gains, ddof=1), rel=1e-9)
    assert whole.gain is None and whole.runs == 3


def test_a_single_run_is_spread_over_its_galleries(tmp_path):
    runs, results = written_runs(tmp_path, ["dmcf"], trials=10)
    (row,) = tables.gather(runs[:1], V2T)
    maps = [100 * trial["mAP"] for trial in results["dmcf", 0]["trials"]]
    assert row.values["mAP"].mean == pytest.approx(np.mean(maps))
    assert row.values["mAP"].deviation == pytest.approx(np.std(maps, ddof=1))


def test_the_papers_values_stand_beside_its_own_data_only(tmp_path):
    runs, _ = written_runs(tmp_path / "official", ["no_mtl", "dmcf"])
    rows = tables.gather(runs, V2T)
    assert rows[0].paper == published.Scores(34.51, 37.28)
    assert rows[0].difference("mAP") == pytest.approx(rows[0].values["mAP"].mean - 37.28)
    text = tables.markdown(2, V2T, rows)
    assert "34.51" in text and f"{rows[1].values['CMC-1'].mean - 39.75:+.2f}" in text
    others, _ = written_runs(tmp_path / "others", ["no_mtl", "dmcf"], official=False)
    text = tables.markdown(2, V2T, tables.gather(others, V2T))
    assert "34.51" not in text and "paper" not in text


def cells_of(text):
    """Return the header and the rows of a pipe table by the first cell."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    header, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return header, {row[0]: row[1:] for row in rows}


# Table 1 of the paper, read from its text: methods in order, and its values of HCML and cmGAN.
METHODS_OF_TABLE_1 = (
    "LOMO MLBP HOG GSM One-stream Two-stream Zero-Padding TONE HCML BDTR cmGAN D2RL DMCF".split()
)
PRINTED = {
    "regdb": {"HCML": "24.44 47.53 56.78 20.80", "cmGAN": "- - - -"},
    "sysu_mm01": {"HCML": "14.32 53.16 69.17 16.16", "cmGAN": "26.97 67.51 80.56 27.80"},
}


@pytest.mark.parametrize("data", ["regdb", "sysu_mm01"])
def test_table_1_has_every_row_of_the_paper_whether_run_or_not(data, tmp_path):
    protocol = published.PROTOCOL[data]
    made = ["dmcf", "bdtr", "hog"]
    runs, results = written_runs(tmp_path, made, dataset=data, protocol=protocol)
    text = comparison(data, protocol, tables.gather(runs, protocol))
    header, rows = cells_of(text)
    assert header[:5] == ["method", "basis", "runs", "CMC-1 published", "here"]
    assert [name.split("(")[0].strip() for name in rows] == METHODS_OF_TABLE_1
    for name, cells in rows.items():
        here = cells[3::2]
        row = {"DMCF": "dmcf", "BDTR (baseline)": "bdtr", "HOG": "hog"}.get(name)
        assert cells[1] == ("3" if row else "0")
        if row:
            maps = [100 * results[row, seed]["mean"]["mAP"] for seed in range(3)]
            assert here[3] == f"{np.mean(maps):.2f} ± {np.std(maps, ddof=1):.2f}"
        else:
            assert here == ["-"] * 4
    for name, values in PRINTED[data].items():
        assert rows[name][2::2] == values.split()
    assert [rows[name][0] for name in ("HOG", "cmGAN", "HCML", "D2RL", "DMCF")] == [
        *("our choice", "port", "authors' code", "structure only", "paper's text")
    ]
    notes = [line for line in text.splitlines() if line.startswith("- ")]
    assert ("Splits" in text, "Galleries" in text) == (data == "regdb", data == "sysu_mm01")
    assert len(notes) == 4 and "AlexNet" in text and "not the published ones" not in text


def test_table_1_names_data_that_are_not_published_and_keeps_other_rows(tmp_path):
    runs, _ = written_runs(tmp_path, ["dmcf", "mine", "xqda"], official=False)
    text = comparison("regdb", V2T, tables.gather(runs, V2T))
    assert "not the published ones" in text
    _, rows = cells_of(text)
    assert [*rows][-2:] == ["mine", "xqda"]
    assert rows["mine"][:3] == ["-", "3", "-"] and rows["xqda"][0] == "our choice"


def test_table_1_of_synthetic_people_has_nothing_published_beside_it(tmp_path):
    runs = plan(1, "synthetic", tmp_path, rows=["hog", "dmcf"], seeds=[0])
    for run_ in runs:
        for protocol in run_.protocols():
            path = result_file(run_, protocol)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(result_of(1, 1, official=False)))
    text = write_tables(1, "synthetic", tmp_path, runs)
    assert text == (tmp_path / "table_1.md").read_text()
    assert all(f"## Table 1, {protocol}, %" in text for protocol in (V2T, T2V))
    assert "published |" not in text and "24.44" not in text
    assert text.count("| HOG | our choice | 1 |") == text.count("| LOMO | our choice | 0 | -") == 2


def test_tables_2_and_3_begin_with_the_baseline_where_it_was_run(tmp_path):
    runs, results = written_runs(tmp_path, ["no_mtl", "dmcf", "bdtr"])
    planned = plan(2, "regdb", tmp_path, trials=[1], seeds=[0, 1, 2])
    text = write_tables(2, "regdb", tmp_path, planned)
    _, rows = cells_of(text.partition(T2V)[0])
    assert [*rows] == ["bdtr (baseline)", "no_mtl", "dmcf"]
    maps = [100 * results["bdtr", seed]["mean"]["mAP"] for seed in range(3)]
    assert rows["bdtr (baseline)"][4].startswith(f"{np.mean(maps):.2f}")
    assert "33.47" in rows["bdtr (baseline)"] and "31.83" in rows["bdtr (baseline)"]


def test_printed_values_are_the_papers():
    """Against the text of the paper: every row of tables 2 and 3, both data sets."""
    lines = {
        "dcf": (25.58, 26.72, 22.70, 25.47),
        "no_split": (30.29, 32.14, 27.18, 30.34),
        "no_mtl": (34.51, 37.28, 28.06, 31.24),
        "feature_1_2_3_4": (23.76, 25.69, 20.89, 22.66),
        "feature_2_4": (27.91, 27.38, 22.69, 25.98),
        "feature_2_3": (36.88, 38.64, 28.36, 31.56),
        "feature_3_4": (37.89, 39.54, 28.98, 31.54),
        "dmcf": (39.75, 40.79, 30.26, 33.38),
    }
    for row, values in lines.items():
        found = [published.VARIANTS[data][row] for data in ("regdb", "sysu_mm01")]
        assert tuple(v for scores in found for v in (scores.cmc_1, scores.mAP)) == values


# Two variants of a tiny network, trained and evaluated.


def words_of(workdir, data_dir, *more, rows="no_mtl,dmcf"):
    return [
        *("-m", "dmcf_jax.cli.experiments", "--table=2", "--data=regdb", f"--rows={rows}"),
        *(f"--workdir={workdir}", f"--data_dir={data_dir}", "--trials=1"),
        *(f"--set={setting}" for setting in TINY),
        *more,
    ]


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The folder of a finished experiment with its data, and the command that ended."""
    folder = tmp_path_factory.mktemp("experiment")
    write_regdb(folder / "source", ids=8, images=2, trials=(1,))
    prepare("regdb", folder / "source", folder / "data", trial=1, unofficial=True)
    words = words_of(folder / "tables", folder / "data", "--jobs=2")
    ran = run(*words, env=environment(cache=folder / "cache"))
    assert ran.returncode == 0, ran.stderr
    return folder, ran


@pytest.mark.slow
def test_a_table_runs_end_to_end(done):
    folder, ran = done
    assert "## Table 2, regdb/visible-to-thermal, %" in ran.stdout
    assert "paper" not in ran.stdout  # the data are not the paper's
    assert (folder / "tables/table_2.md").read_text().strip() == ran.stdout.strip()
    assert set(runs_of(folder / "tables")) == {"dmcf", "no_mtl"}
    with open(folder / "tables/table_2.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [(line["protocol"], line["variant"]) for line in lines] == [
        (protocol, row) for protocol in (V2T, T2V) for row in ("no_mtl", "dmcf")
    ]
    for line in lines:
        path = folder / f"tables/{line['variant']}/trial_1_seed_0/evaluation/{line['protocol']}"
        result = json.loads(path.with_suffix(".json").read_text())
        assert float(line["mAP mean"]) == pytest.approx(100 * result["mean"]["mAP"])


@pytest.mark.slow
def test_table_1_runs_matchers_end_to_end(tmp_path):
    write_regdb(tmp_path / "source", ids=4, images=1, trials=(1,))
    prepare("regdb", tmp_path / "source", tmp_path / "data", trial=1, unofficial=True)
    folders = [f"--workdir={tmp_path / 'tables'}", f"--data_dir={tmp_path / 'data'}"]
    words = ["--table=1", "--data=regdb", "--rows=hog", "--trials=1", "--seeds=0,1", *folders]
    ran = run("-m", "dmcf_jax.cli.experiments", *words)
    assert ran.returncode == 0, ran.stderr
    _, rows = cells_of(ran.stdout)
    assert len(rows) == 13 and rows["HOG"][1] == "1" and rows["LOMO"][1] == "0"
    assert float(rows["HOG"][3]) in (0, 50, 100)  # rank-1 of two queries


@pytest.mark.slow
def test_nothing_is_run_twice_and_a_lost_evaluation_is_made_again(done):
    folder, first = done
    times = {p: p.stat().st_mtime_ns for p in (folder / "tables").rglob("checkpoints/*")}
    lost = folder / "tables/dmcf/trial_1_seed_0/evaluation" / f"{V2T}.json"
    lost.unlink()
    words = words_of(folder / "tables", folder / "data")
    ran = run(*words, env=environment(cache=folder / "cache"))
    assert ran.returncode == 0, ran.stderr
    assert "2 runs, 1 of them finished" in ran.stderr and lost.exists()
    assert ran.stdout == first.stdout
    assert times == {p: p.stat().st_mtime_ns for p in (folder / "tables").rglob("checkpoints/*")}


@pytest.mark.slow
def test_a_dry_run_lists_runs_with_time_from_their_logs(done):
    folder, _ = done
    words = words_of(folder / "tables", folder / "data", "--dry_run", "--seeds=0,1")
    ran = run(*words, env=environment(cache=folder / "cache"))
    assert ran.returncode == 0, ran.stderr
    assert len(re.findall(r"finished", ran.stderr)) == 2
    assert len(re.findall(r"missing +│ 0 / 4", ran.stderr)) == 2
    assert not (folder / "tables/dmcf/trial_1_seed_1").exists()


@pytest.mark.slow
def test_time_left_follows_from_the_speed_of_a_row(done):
    folder, _ = done
    choices = {"data_dir": folder / "data", "trials": [1], "settings": TINY, "seeds": [0, 5]}
    runs = plan(2, "regdb", folder / "tables", rows=["no_mtl", "dmcf", "dcf"], **choices)
    assert [status(run).finished for run in runs] == [True, True, False, False, False, False]
    left = seconds_left(runs, {"no_mtl": 1.0, "dmcf": 3.0})
    assert left["no_mtl/trial_1_seed_5"] == 4.0 and left["dmcf/trial_1_seed_5"] == 12.0
    assert left["dcf/trial_1_seed_5"] == 8.0  # the median of the others
    assert left["dmcf/trial_1_seed_0"] == 0


@pytest.mark.slow
def test_a_failed_run_is_reported_with_its_log_and_the_others_are_made(done, tmp_path):
    folder, _ = done
    broken = tmp_path / "tables/no_mtl/trial_1_seed_0"
    broken.mkdir(parents=True)
    (broken / "config.json").write_text('{"seed": 77}')  # as if another experiment were there
    (broken / "metrics.jsonl").write_text('{"step": 1, "images_per_second": 9.0}\n')
    words = words_of(tmp_path / "tables", folder / "data")
    ran = run(*words, env=environment(cache=folder / "cache"))
    assert ran.returncode == 2 and "Traceback" not in ran.stderr
    assert "no_mtl/trial_1_seed_0 ended with status 2 while training" in ran.stderr
    assert "was started with another config" in ran.stderr
    assert (
        "| dmcf | 1 |" in ran.stdout
        or "| dmcf | 1 |" in (tmp_path / "tables/table_2.md").read_text()
    )


@pytest.mark.slow
def test_an_interrupted_experiment_saves_and_goes_on(done, tmp_path):
    folder, _ = done
    words = words_of(tmp_path / "tables", folder / "data", rows="dmcf")
    words = [word for word in words if not word.startswith(("--set=train.s", "--set=train.c"))]
    words += ["--set=train.steps=4000", "--set=train.checkpoint_every=4000"]
    log = tmp_path / "tables/dmcf/trial_1_seed_0/metrics.jsonl"
    with start(*words, env=environment(cache=folder / "cache")) as process:
        while process.poll() is None and not (log.exists() and log.read_text()):
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    (saved,) = (tmp_path / "tables/dmcf/trial_1_seed_0/checkpoints").iterdir()
    assert 0 < int(saved.name) < 4000
    assert int(saved.name) == len(log.read_text().splitlines())
