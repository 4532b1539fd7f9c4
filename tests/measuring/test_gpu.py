"""benchmarks/gpu.sh: its clock, its file, and all of it in small on a CPU."""

import json
import os
import subprocess
import sys
import zipfile
from importlib.util import find_spec

import numpy as np
import pytest
from support.commands import ROOT

from benchmarks import gpu, gpu_parts, torch_turns
from benchmarks.gpu_sizes import SIZES, config_of

WHEEL = {
    "METADATA": "Metadata-Version: 2.1\nName: extra\nVersion: 1.0\n",
    "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "RECORD": "",
}
MACHINE = {"platform": "cpu", "device": "a CPU"}


@pytest.fixture
def measured(monkeypatch, tmp_path):
    """Return a function that measures parts whose answers are given; it returns status and file."""

    def measure(answers, seconds=600.0):
        files = []

        def answer(name, facts, allowed):
            if (tmp_path / "gpu.json").exists():
                files.append(json.loads((tmp_path / "gpu.json").read_text()))
            return answers[name]

        monkeypatch.setattr(gpu, "in_its_own_process", answer)
        parts = [name for name in answers if name != "device"]
        status = gpu.measure_all(gpu.Run(tmp_path / "gpu.json", seconds, ["gpu"]), parts, None)
        assert not any(file["complete"] for file in files)
        return status, json.loads((tmp_path / "gpu.json").read_text())

    return measure


def ended(result):
    return 0, "words of a library\n" + json.dumps(result) + "\n", ""


def test_what_is_measured_skipped_and_failed_is_in_the_file(measured):
    status, found = measured(
        {
            "device": ended(MACHINE | {"skipped": {"PyTorch": "not installed"}}),
            "train_step/bfloat16/large": ended({"images_per_second": 7.0}),
            "evaluation": (None, "", ""),
            "search": (1, "", "Traceback\nValueError: no"),
        }
    )
    assert status == 1 and found["complete"] and found["sizes"] == "small"
    assert set(found["parts"]) == {"device", "train_step/bfloat16/large"}
    assert found["images_per_second"] == 7.0 and found["device"] == "a CPU"
    assert found["skipped"]["device: PyTorch"] == "not installed"
    assert "evaluation" in found["skipped"]
    assert found["failed"]["search"]["last_lines"][-1] == "ValueError: no"


def test_what_is_skipped_is_no_failure(measured):
    answers = {"device": ended(MACHINE), "evaluation": (None, "", ""), "search": ended({"a": 1})}
    status, found = measured(answers)
    assert status == 0 and found["parts"]["search"]["a"] == 1


def test_without_time_no_part_is_started_and_each_is_named(measured, monkeypatch):
    answers = {"device": ended(MACHINE), "evaluation": ended({}), "search": ended({})}
    monkeypatch.setattr(gpu.Run, "left", lambda run: 100.0 if not run.found["parts"] else 3.0)
    status, found = measured(answers)
    assert status == 0 and set(found["skipped"]) == {"evaluation", "search"}
    assert set(found["parts"]) == {"device"}


def test_without_an_answer_of_the_device_nothing_is_measured(measured):
    status, found = measured({"device": (1, "", "no device"), "search": ended({})})
    assert status == 1 and not found["parts"] and found["failed"]["device"]["status"] == 1


def test_a_part_that_takes_too_long_is_ended():
    assert gpu.in_its_own_process("evaluation", {"sizes": "small"}, 0.2) == (None, "", "")


@pytest.mark.skipif(find_spec("torch") is not None, reason="needs a PyTorch that fails")
def test_where_pytorch_fails_our_own_figure_stands():
    """Its process ends at its first import; `gpu_parts` then says so beside our seconds."""
    config = config_of(SIZES["small"], "float32", 16)
    with torch_turns.started("train_step", config) as do:
        ours, theirs = torch_turns.compare(lambda: 0.0, do, repeats=2, rounds=1)
    assert len(ours) == 2 and np.isnan(theirs).all()
    assert set(gpu_parts._beside(1.0, theirs, do)) == {"skipped"}


def test_every_part_of_the_plan_exists():
    names = {name.split("/")[0] for name in gpu.PLAN}
    assert names <= set(gpu_parts._parts())
    assert all(sizes.large % 16 == sizes.small % 16 == 0 for sizes in SIZES.values())


def script(out, *words, path=""):
    environment = os.environ | {"DMCF_PYTHON": sys.executable, "JAX_PLATFORMS": "cpu"}
    environment["PATH"] = f"{path}{os.pathsep * bool(path)}{os.environ['PATH']}"
    command = ["bash", str(ROOT / "benchmarks/gpu.sh"), f"--out={out}", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def test_a_part_that_there_is_not_is_refused(tmp_path):
    done = script(tmp_path / "gpu.json", "--parts=gpu")
    assert done.returncode == 2 and "train_step/bfloat16/large" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_folder_without_wheels_is_refused(tmp_path):
    done = script(tmp_path / "gpu.json", f"--wheels={tmp_path}")
    assert done.returncode == 2 and str(tmp_path) in done.stderr


@pytest.mark.skipif(find_spec("pip") is None, reason="needs pip")
@pytest.mark.parametrize(("driver", "lacks"), [("580.1", True), ("525.2", True), ("470.3", False)])
def test_wheels_are_installed_without_a_network_and_what_is_missing_is_named(
    tmp_path, driver, lacks
):
    smi, wheel = tmp_path / "bin/nvidia-smi", tmp_path / "extra-1.0-py3-none-any.whl"
    smi.parent.mkdir()
    smi.write_text(f"#!/bin/sh\necho {driver}\n")
    smi.chmod(0o755)
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("extra.py", "")
        for name, text in WHEEL.items():
            archive.writestr(f"extra-1.0.dist-info/{name}", text)
    # A part that there is not, so that nothing is measured.
    words = f"--wheels={tmp_path}", "--parts=gpu"
    done = script(tmp_path / "gpu.json", *words, path=str(smi.parent))
    assert done.returncode == 2
    assert ("a CUDA plugin of jax" in done.stderr) == lacks


@pytest.mark.slow
def test_on_a_cpu_it_runs_to_its_end_in_small_and_names_what_needs_a_gpu(tmp_path):
    out = tmp_path / "gpu.json"
    parts = "train_step/bfloat16/small,embed/float32,evaluation,search,determinism,tests"
    done = script(out, "--seconds=3000", f"--parts={parts}")
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text())
    assert found["complete"] and not found["failed"] and found["sizes"] == "small"
    assert set(found["parts"]) == {"device", *parts.split(",")}
    assert "tests: the tests marked gpu" in found["skipped"]
    assert "device: PyTorch beside the training step" in found["skipped"]
    step = found["parts"]["train_step/bfloat16/small"]
    assert step["images"] == SIZES["small"].small
    assert 0 < step["fraction_of_matrix_peak"] < 1 and step["fraction_of_copy_bandwidth"] > 0
    assert found["parts"]["search"]["equal_to_full_sort"]
    assert found["parts"]["determinism"]["equal"]
    assert {"jax", "flax", "numpy"} <= set(found["versions"]) and found["commit"]
