"""Two processes train as one: the same parameters, and the same end when one of them fails."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from dmcf_jax.data.records.prepare_synthetic import prepare_synthetic
from dmcf_jax.errors import UserError
from dmcf_jax.runs.checkpoint import Checkpoints
from dmcf_jax.runs.load import load_trained, untrained
from dmcf_jax.runs.metrics_log import read_metrics
from dmcf_jax.runtime.devices import start_hosts

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {
    "PYTHONPATH": str(ROOT),
    "JAX_PLATFORMS": "cpu",
    "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",  # compiles in half the time
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
}


def start(words, devices, **environment):
    environment |= {"JAX_NUM_CPU_DEVICES": str(devices)}
    return subprocess.Popen(
        [sys.executable, *map(str, words)],
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT | environment,
    )


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
    """Two processes, the second of which is killed; return the workdir and the survivor's end."""
    workdir = tmp_path_factory.mktemp("broken")
    port = free_port()
    program = [ROOT / "tests/support/host_process.py", data_dir, workdir, port]
    survivor, killed = (start([*program, number], devices=1) for number in (0, 1))
    heard = killed.communicate()[1]
    try:
        said = survivor.communicate(timeout=60)[1]
    except subprocess.TimeoutExpired:
        survivor.kill()
        raise
    return workdir, survivor.returncode, said, heard


def test_when_a_process_dies_the_other_says_so_within_a_minute(broken_run):
    workdir, status, said, _ = broken_run
    assert status not in (0, None)
    assert "error: process 0 failed" in said or "JAX distributed service" in said, said
    with Checkpoints(workdir, read_only=True) as checkpoints:
        assert checkpoints.steps() == [4]


def test_only_process_0_talks(broken_run):
    _, _, said, heard = broken_run
    assert "step 4/8" in said
    assert "step" not in heard and "heads_G1" not in heard, heard


def test_one_process_finishes_what_two_began_as_if_it_had_been_alone(
    broken_run, data_dir, tmp_path
):
    folders = tmp_path / "alone", broken_run[0]
    words = [ROOT / "tests/support/host_process.py", data_dir, *folders]
    process = start(words, devices=2, JAX_COMPILATION_CACHE_DIR=str(tmp_path / "cache"))
    said = process.communicate()[1]
    assert process.returncode == 0, said
    assert "continuing from the checkpoint of step 4" in said
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
    words = [ROOT / "scripts/train.py", f"--config={ROOT}/configs/synthetic.py"]
    words += [f"--workdir={tmp_path}/run", f"--coordinator=127.0.0.1:{free_port()}"]
    words += ["--config.sampler.P=4"]
    folders = (data_dir, tmp_path / "elsewhere")
    processes = [
        start(
            [*words, "--process_count=2", f"--process_id={n}", f"--config.data.data_dir={folder}"],
            devices=1,
        )
        for n, folder in enumerate(folders)
    ]
    for process, said in [(p, p.communicate(timeout=60)[1]) for p in processes]:
        assert process.returncode == 2 and "Traceback" not in said, said
        assert "error: process 1 failed: RegDB trial 1 is not prepared" in said


def test_a_coordinator_without_a_port_is_refused():
    with pytest.raises(UserError, match="coordinator=here: expected host:port of process 0"):
        start_hosts(coordinator="here")
