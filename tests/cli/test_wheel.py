"""The wheel in an empty folder, without a clone: its files, and the commands that it brings."""

import os
import site
import subprocess
import sys
import venv
import zipfile

import pytest
from support import tiny
from support.commands import ROOT

pytest.importorskip("hatchling")
pytestmark = pytest.mark.slow
CHANGES = tiny.PAPERS_LEVELS | {"sampler.P": 2, "train.steps": 3}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    words = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_the_package_and_its_configs_only(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (entry,) = [name for name in names if name.endswith("entry_points.txt")]
        assert "dmcf = dmcf_jax.cli.app:main" in archive.read(entry).decode()
        assert archive.read("dmcf_jax/configs/regdb.py") == (ROOT / "configs/regdb.py").read_bytes()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"dmcf_jax"}
    packaged = {name for name in names if name.startswith("dmcf_jax/")}
    tracked = ["git", "ls-files", "-z", "dmcf_jax", "configs"]
    listed = subprocess.run(tracked, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode == 0:  # in a clone; every tracked file is there, and no other
        files = set(filter(None, listed.stdout.split("\0"))) - {"dmcf_jax/configs"}
        assert packaged == {f.replace("configs/", "dmcf_jax/configs/", 1) for f in files}
    assert "dmcf_jax/py.typed" in packaged


@pytest.fixture(scope="module")
def dmcf(wheel, tmp_path_factory):
    """Return a function that runs `dmcf WORDS` of the installed wheel in an empty folder."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    python = folder / "venv/bin/python"
    words = [sys.executable, "-m", "pip", f"--python={python}", "install", "--no-deps", wheel]
    done = subprocess.run([*words, "--no-index"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    # Dependencies come from this environment, as a plain path: of an editable install its .pth
    # file is not read then, so that the clone stays out of reach.
    (packages,) = (folder / "venv").glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text("\n".join(site.getsitepackages()))
    environment = {name: v for name, v in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"JAX_PLATFORMS": "cpu", "XDG_CACHE_HOME": str(folder / "cache")}
    (folder / "empty").mkdir()

    def run(*words):
        command, cwd = [folder / "venv/bin/dmcf", *words], folder / "empty"
        return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)

    return run


def test_commands_work_without_a_clone(dmcf):
    prepared = dmcf(
        "prepare_data", "--dataset=synthetic", "--identities=8", "--data_dir=data", "--trial=1"
    )
    assert prepared.returncode == 0, prepared.stderr
    fields = tiny.as_flags(CHANGES | {"data.data_dir": "data"})
    trained = dmcf("train", "--config=regdb", "--workdir=run", *fields)
    assert trained.returncode == 0, trained.stderr
    assert "step 3/3" in trained.stderr
    settings = tiny.as_flags(CHANGES, "--set=")
    planned = dmcf(
        "experiments", "--table=2", "--data=synthetic", "--workdir=tables", "--dry_run", *settings
    )
    assert planned.returncode == 0, planned.stderr
    assert planned.stderr.count("missing") == 12


def test_what_needs_a_clone_is_one_sentence(dmcf):
    listed = dmcf("--help")
    assert listed.returncode == 0
    assert "train" in listed.stdout and "benchmark" not in listed.stdout
    for words in (
        ("benchmark", "--what=ranking"),
        ("train", "--config=configs/regdb.py", "--workdir=run"),
    ):
        refused = dmcf(*words)
        assert refused.returncode == 2 and refused.stdout == ""
        assert refused.stderr.startswith("error: ") and refused.stderr.count("\n") == 1


def test_an_experiment_starts_runs_of_the_installed_package(dmcf):
    """It ends with the message of the run that it started: its data are missing."""
    words = ("--table=1", "--data=regdb", "--workdir=more", "--trials=1", "--data_dir=nowhere")
    done = dmcf("experiments", *words)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "dmcf/trial_1_seed_0 ended with status 2 while training" in done.stderr
    assert "RegDB trial 1 is not prepared" in done.stderr
