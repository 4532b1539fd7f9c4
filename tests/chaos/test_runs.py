"""Real runs killed, stopped and starved of disk: nothing is lost, nothing is silent.

The long form is tests/chaos/kill_and_resume.py; its results are in docs/reliability.md.
"""

import json
import os
import shutil
import signal
import time

import jax
import numpy as np
import pytest
from chaos.kill_and_resume import Watch, final_state, kill_and_resume
from support import tiny_run
from support.commands import environment, run, start
from support.disks import fill, small_disk

from dmcf_jax.runtime.checksums import checksum_problems

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Holds the data, the cache of compiled programs, the run left alone and the killed one."""
    return tmp_path_factory.mktemp("chaos")


@pytest.fixture(scope="module")
def env(folder):
    return environment(cache=folder / "cache")


@pytest.fixture(scope="module")
def killed(folder):
    return kill_and_resume(folder, kills=3, seed=2)


def test_a_run_killed_three_times_ends_as_one_left_alone(killed):
    assert killed["failures"] == []
    assert killed["kills"] == 3 and killed["inside_a_checkpoint_write"] > 0


def test_the_same_command_twice_gives_the_same_evaluation(killed, folder, env):
    results = []
    for name in ("alone", "killed"):
        done = run("scripts/evaluate.py", f"--workdir={folder / name}", env=env)
        assert done.returncode == 0, done.stderr
        files = sorted((folder / name / "evaluation").rglob("*.json"))
        results.append({file.name: json.loads(file.read_text()) for file in files})
    assert results[0] == results[1] and results[0]


def test_a_notice_of_preemption_saves_and_ends_with_status_0(killed, folder, env, tmp_path):
    words = tiny_run.command(folder / "data", tmp_path, {"train.steps": 12})
    with start(*words, env=env) as process:
        wait_until(lambda: Watch(tmp_path).finished(), process)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    last = Watch(tmp_path).finished()[-1]
    assert process.returncode == 0, errors
    assert f"SIGTERM: saved step {last}; run the same command to resume." in errors
    assert len(tiny_run.log_without_clocks(tmp_path)) == last
    assert checksum_problems(tmp_path / f"checkpoints/{last}") == []


def wait_until(happened, process):
    while not happened() and process.poll() is None:
        time.sleep(0.005)


def test_a_run_on_a_full_disk_stops_and_continues_when_there_is_room(killed, folder, env, tmp_path):
    with small_disk(tmp_path / "disk", kilobytes=2048) as disk:
        words = tiny_run.command(folder / "data", disk / "run", {"train.steps": 12})
        with start(*words, env=env) as process:
            wait_until(lambda: Watch(disk / "run").finished(), process)
            fill(disk, leave=20000)
            _, errors = process.communicate(timeout=60)
        saved = Watch(disk / "run").finished()
        assert process.returncode == 2 and "Traceback" not in errors, errors
        assert "No space left on device" in errors and saved
        assert checksum_problems(disk / f"run/checkpoints/{saved[-1]}") == []
        (disk / "filler").unlink()
        done = run(*words, env=env)
        assert done.returncode == 0, done.stderr
        logs = [tiny_run.log_without_clocks(at) for at in (disk / "run", folder / "alone")]
        assert logs[0] == logs[1]


WAITING = """
import sys, time
from dmcf_jax.runtime.signals import Interruption
with Interruption() as interruption:
    if sys.argv[1] == "held":
        interruption.hold()
    print("ready", flush=True)
    while not interruption.reason or sys.argv[1] == "held":
        time.sleep(0.01)
"""


@pytest.mark.parametrize(
    ("held", "signals", "status", "words"),
    [
        ("held", [signal.SIGINT, signal.SIGINT], 130, "SIGINT again: leaving at once"),
        ("held", [signal.SIGTERM, signal.SIGINT, signal.SIGINT], 130, "SIGTERM: finishing"),
        ("free", [signal.SIGTERM], 0, "SIGTERM: stopped before a step was taken"),
        ("free", [signal.SIGUSR1], 0, "SIGUSR1: stopped before a step was taken"),
        ("free", [signal.SIGINT], 130, "SIGINT: stopped before a step was taken"),
    ],
)
def test_signals_end_a_program_in_order(held, signals, status, words):
    with start("-c", WAITING, held) as it:
        it.stdout.readline()
        errors = ""
        for number in signals:
            os.kill(it.pid, number)
            it.stderr.readline()  # each is answered before the next is sent
            errors += it.stderr.readline()
        errors += it.stderr.read()
    assert it.returncode == status and words in errors and "Traceback" not in errors


@pytest.mark.gpu
@pytest.mark.skipif(shutil.which("nvidia-smi") is None, reason="needs a GPU")
def test_a_gpu_gives_the_same_twice_when_told_to(tmp_path, monkeypatch):
    """By the flag that docs/reliability.md names."""
    monkeypatch.setenv("XLA_FLAGS", "--xla_gpu_deterministic_ops=true")
    data_dir, logs = tiny_run.make_data(tmp_path), []
    env = environment(platform="cuda", cache=tmp_path / "cache")
    for name in ("first", "second"):
        words = tiny_run.command(data_dir, tmp_path / name)
        done = run(*words, env=env)
        assert done.returncode == 0, done.stderr
        logs.append(tiny_run.log_without_clocks(tmp_path / name))
    assert logs[0] == logs[1]
    ends = [final_state(tmp_path / name, 8) for name in ("first", "second")]
    jax.tree.map(np.testing.assert_array_equal, *ends)
