"""Training end to end on a small made-up tree: logs, eq. 15, refusals. Kills: tests/chaos."""

import json
import math
import subprocess

import jax
import numpy as np
import pytest
from support import tiny
from support.commands import run, start

from dmcf_jax.data.datasets import DATASETS
from dmcf_jax.data.records.prepare_synthetic import prepare_synthetic
from dmcf_jax.errors import UserError
from dmcf_jax.evaluate import evaluate
from dmcf_jax.runs import folder as run_folder
from dmcf_jax.runs.checkpoint import Checkpoints
from dmcf_jax.runs.load import load_trained
from dmcf_jax.runs.metrics_log import read_metrics
from dmcf_jax.train import train

pytestmark = pytest.mark.usefixtures("standard_promotion")


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    prepare_synthetic("regdb", 12, 0, folder, trial="1")
    return str(folder)


def small_config(data_dir, **changes):
    return tiny.config({"data.data_dir": data_dir} | changes)


def final_arrays(workdir):
    trained = load_trained(workdir)
    return trained.step, jax.tree.map(np.asarray, trained.variables)


@pytest.fixture(scope="module")
def whole_run(data_dir, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("whole")
    with jax.numpy_dtype_promotion("standard"):
        train(small_config(data_dir), workdir)
    return workdir


@pytest.mark.slow
def test_the_log_has_every_part_and_equation_15_holds(whole_run):
    lines = read_metrics(whole_run / "metrics.jsonl")
    assert [line["step"] for line in lines] == list(range(1, 9))
    for line in lines:
        assert line["level_lowest"] == pytest.approx(line["L1"] + line["L2"], rel=1e-5)
        middle = sum(line[f"L{i}"] for i in (3, 4, 5, 6))
        assert line["level_low"] == pytest.approx(middle, rel=1e-5)
        levels = [(line[f"level_{n}"], line[f"sigma_{n}"]) for n in ("lowest", "low")]
        # The line of step n is written after it: its loss is that of the state before.
        weighted = line["step"] > 3
        expected = sum(
            value / (2 * s**2) + math.log(s) if weighted else value for value, s in levels
        )
        assert line["loss"] == pytest.approx(expected, rel=1e-5)
    assert lines[3]["sigma_low"] == 1.0 != lines[-1]["sigma_low"]
    # The config multiplies the rates by 0.1 at 75 % of the run.
    expected = [0.003] * 6 + [0.0003] * 2
    np.testing.assert_allclose([line["lr_heads"] for line in lines], expected, rtol=1e-6)


@pytest.mark.slow
def test_the_folder_says_how_to_repeat_the_run(whole_run):
    start = json.loads((whole_run / "environment.json").read_text())[0]
    assert {"command", "packages", "git_commit", "devices", "python"} <= start.keys()
    assert run_folder.restore_config(whole_run).sampler.P == 4
    assert len(json.loads((whole_run / "classes.json").read_text())) == 6
    assert list((whole_run / "tensorboard").rglob("events*"))


@pytest.mark.slow
def test_a_finished_run_is_left_alone(whole_run, data_dir):
    before = (whole_run / "metrics.jsonl").read_text()
    train(small_config(data_dir), whole_run)
    assert (whole_run / "metrics.jsonl").read_text() == before


@pytest.mark.slow
def test_another_config_in_the_same_folder_is_refused_with_the_difference(whole_run, data_dir):
    with pytest.raises(UserError) as caught:
        train(small_config(data_dir, **{"sampler.K": 3}), whole_run)
    assert caught.value.about == ("sampler.K",)


@pytest.mark.slow
def test_a_folder_in_use_is_refused(tmp_path):
    program = (
        "import sys; from pathlib import Path; from dmcf_jax.runs.folder import lock_run\n"
        "with lock_run(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    with start("-c", program, tmp_path, stdin=subprocess.PIPE) as holder:
        holder.stdout.readline()
        with pytest.raises(UserError, match="another process"), run_folder.lock_run(tmp_path):
            pass
        holder.kill()
    with run_folder.lock_run(tmp_path):
        pass  # the lock did not outlive the killed process


def test_too_many_identities_a_batch_leave_no_folder_behind(data_dir, tmp_path):
    with pytest.raises(UserError, match="at most 6"):
        train(small_config(data_dir, **{"sampler.P": 8}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_loss_that_is_not_finite_stops_the_run_by_name(data_dir, tmp_path):
    config = small_config(data_dir, **{"optim.lr_backbone": 1e30, "optim.lr_heads": 1e30})
    with pytest.raises(UserError, match=r"step \d+: .*loss = (nan|inf).*nothing was saved yet"):
        train(config, tmp_path)
    with Checkpoints(tmp_path) as checkpoints:
        assert checkpoints.steps() == []


@pytest.mark.slow
def test_host_and_device_feeds_train_to_the_same_bits(whole_run, data_dir, tmp_path):
    train(small_config(data_dir, **{"data.placement": "host"}), tmp_path)
    jax.tree.map(np.testing.assert_array_equal, final_arrays(whole_run), final_arrays(tmp_path))


@pytest.mark.slow
def test_held_out_evaluation_keeps_the_best_and_the_latest(data_dir, tmp_path):
    changes = {"train.eval_every": 2, "train.held_out": 0.34, "train.keep_best": "mAP"}
    train(small_config(data_dir, **changes), tmp_path)
    scores = {line["step"]: line["mAP"] for line in read_metrics(tmp_path / "evaluations.jsonl")}
    assert list(scores) == [2, 4, 6, 8]
    assert len(json.loads((tmp_path / "classes.json").read_text())) == 4
    best = load_trained(tmp_path, best=True)
    assert scores[best.step] == max(scores.values())
    with Checkpoints(tmp_path, "mAP") as checkpoints:
        assert {6, 8} <= set(checkpoints.steps()) <= {6, 8, best.step}


@pytest.mark.slow
def test_evaluation_writes_both_directions(whole_run):
    results = evaluate(whole_run)
    assert [r["protocol"] for r in results] == list(DATASETS["regdb"].protocols)
    for result in results:
        written = json.loads((whole_run / f"evaluation/{result['protocol']}.json").read_text())
        assert written["checkpoint"] == {"step": 8, "chosen_by": "last"}
        assert written["trials"][0]["queries"] == written["trials"][0]["gallery"] == 60
        assert written["trials"][0]["trial"] == 1 and written["data"]["official"] is False


@pytest.mark.slow
def test_a_protocol_of_another_data_set_is_refused(whole_run):
    name = "sysu_mm01/all/single/python-seeded"
    with pytest.raises(UserError, match="regdb") as error:
        evaluate(whole_run, [name])
    assert error.value.about == (name,)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flag", "sentence"),
    [
        ("--config.data.sizze=3", "error: there is no config field 'sizze'; did you mean 'size'?"),
        ("--config.optim.lr_heads=much", "could not convert string to float: 'much'"),
        ("--wokdir=x", "Unknown command line flag 'wokdir'. Did you mean: workdir"),
        ("--config.loss.margin=-1", "loss.margin: is -1.0, expected a number above 0"),
    ],
)
def test_a_mistyped_flag_is_one_sentence(flag, sentence, tmp_path):
    words = ["scripts/train.py", "--config=configs/regdb.py", f"--workdir={tmp_path}/run"]
    done = run(*words, flag)
    assert done.returncode == 2 and sentence in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()
