"""Two processes train as one: the same parameters, and the same end when one of them fails."""

import socket
import subprocess

import jax
import numpy as np
import pytest
from support.commands import QUICK_TO_COMPILE, environment, run, start

from dmcf_jax.data.records.prepare_synthetic import prepare_synthetic
from dmcf_jax.runs.checkpoint import Checkpoints
from dmcf_jax.runs.load import load_trained, untrained
from dmcf_jax.runs.metrics_log import read_metrics

pytestmark = pytest.mark.slow


def environment_of(devices, **settings):
    """Return one that compiles in half the time."""
    return environment(devices, **QUICK_TO_COMPILE, **settings)


def free_port():
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return asked.getsockname()[1]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    prepare_synthetic("regdb", 12, 0, folder, trial="1")
    return str(folder)


@pytest.fixture(scope="module")
def broken_run(data_dir, tmp_path_factory):
    """Two processes, the second of which is killed; return the survivor's end and both errors."""
    workdir = tmp_path_factory.mktemp("broken")
    port = free_port()
    program = ["tests/support/host_process.py", data_dir, workdir, port]
    survivor, killed = (start(*program, n, env=environment_of(devices=1)) for n in (0, 1))
    others_errors = killed.communicate()[1]
    try:
        errors = survivor.communicate(timeout=60)[1]
    except subprocess.TimeoutExpired:
        survivor.kill()
        raise
    return workdir, survivor.returncode, errors, others_errors


def test_when_a_process_dies_the_other_reports_it_within_a_minute(broken_run):
    workdir, status, errors, _ = broken_run
    assert status not in (0, None)
    assert "error: process 0 failed" in errors or "JAX distributed service" in errors, errors
    with Checkpoints(workdir, read_only=True) as checkpoints:
        assert checkpoints.steps() == [4]


def test_only_process_0_logs(broken_run):
    _, _, errors, others_errors = broken_run
    assert "step 4/8" in errors
    assert "step" not in others_errors and "heads_G1" not in others_errors, others_errors


def test_one_process_finishes_what_two_began_as_if_it_had_been_alone(
    broken_run, data_dir, tmp_path
):
    folders = tmp_path / "alone", broken_run[0]
    env = environment_of(devices=2, cache=tmp_path / "cache")
    done = run("tests/support/host_process.py", data_dir, *folders, env=env)
    assert done.returncode == 0, done.stderr
    assert "resuming from the checkpoint of step 4" in done.stderr
    alone, resumed = (load_trained(workdir) for workdir in folders)
    assert alone.step == resumed.step == 8
    fresh = untrained(folders[0]).variables
    pairs = zip(
        jax.tree.leaves_with_path(alone.variables),
        jax.tree.leaves(resumed.variables),
        jax.tree.leaves(fresh),
        strict=True,
    )
    for (path, one), two, before in pairs:
        largest = np.max(np.abs(one))
        assert np.max(np.abs(one - two)) <= 1e-5 * largest, jax.tree_util.keystr(path)
        if "log_variance" not in jax.tree_util.keystr(path):
            assert np.max(np.abs(one - before)) > 1e-4 * largest, jax.tree_util.keystr(path)
    lines = [
        read_metrics(workdir / "metrics.jsonl") for workdir in (tmp_path / "alone", broken_run[0])
    ]
    assert [line["step"] for line in lines[1]] == list(range(1, 9))
    np.testing.assert_allclose(*([line["loss"] for line in run] for run in lines), rtol=1e-5)


def test_a_mistake_on_one_host_ends_all_with_its_message(data_dir, tmp_path):
    words = ["scripts/train.py", "--config=configs/regdb.py"]
    words += [f"--workdir={tmp_path}/run", f"--coordinator=127.0.0.1:{free_port()}"]
    words += ["--config.sampler.P=4"]
    folders = (data_dir, tmp_path / "elsewhere")
    processes = [
        start(
            *(*words, "--process_count=2", f"--process_id={n}"),
            f"--config.data.data_dir={folder}",
            env=environment_of(devices=1),
        )
        for n, folder in enumerate(folders)
    ]
    for process, errors in [(p, p.communicate(timeout=60)[1]) for p in processes]:
        assert process.returncode == 2 and "Traceback" not in errors, errors
        assert "error: process 1 failed: RegDB trial 1 is not prepared" in errors
