"""The command `dmcf`: its verbs, what it answers to mistakes, names of configs, lazy imports."""

import ast
import sys
from pathlib import Path

import pytest
from support.commands import ROOT, run

import dmcf_jax
from dmcf_jax.cli import app
from dmcf_jax.config.read import CONFIGS, locate, names, read_config
from dmcf_jax.errors import UserError


def dmcf(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["dmcf", *words])
    app.main()


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",)])
def test_every_verb_is_listed_in_one_line(monkeypatch, capsys, words):
    dmcf(monkeypatch, *words)
    lines = capsys.readouterr().out.splitlines()
    listed = [line.split()[0] for line in lines if line.startswith("  ")]
    assert listed == list(app.VERBS)
    assert max(map(len, lines)) <= 100


def test_a_verb_is_a_file_with_its_shim():
    files = {path.stem for path in Path(app.__file__).parent.glob("*.py")} - {"app", "__init__"}
    assert files == set(app.VERBS)
    for verb in app.VERBS:
        shim = ast.parse((ROOT / "scripts" / f"{verb}.py").read_text())
        assert ast.unparse(shim.body[-1]) == f"run_verb('{verb}')"


def test_without_a_clone_the_benchmarks_are_not_listed(monkeypatch, tmp_path):
    monkeypatch.setattr(app, "BENCHMARKS", tmp_path / "benchmarks")
    assert "benchmark" not in app.usage()


def test_the_version_is_printed(monkeypatch, capsys):
    dmcf(monkeypatch, "--version")
    assert capsys.readouterr().out.strip() == dmcf_jax.__version__


@pytest.mark.parametrize(
    ("verb", "words"),
    [("trian", "did you mean 'train'?"), ("fly", "choose one of demo, prepare_data")],
)
def test_a_mistyped_verb_is_one_sentence_and_status_2(monkeypatch, capsys, verb, words):
    with pytest.raises(SystemExit) as ended:
        dmcf(monkeypatch, verb, "--workdir=x")
    said = capsys.readouterr().err
    assert ended.value.code == 2 and said.count("\n") == 1
    assert f"there is no command {verb!r}; {words}" in said


# A program that imports a verb and says which others, and which slow libraries, came with it.
IMPORTED = """
import importlib, sys
importlib.import_module("dmcf_jax.cli.{verb}")
slow = {{"jax", "flax", "optax", "orbax", "tensorflow_datasets", "matplotlib"}} & set(sys.modules)
verbs = [m for m in sys.modules if m.startswith("dmcf_jax.cli.") and m != "dmcf_jax.cli.app"]
assert not slow, slow
assert verbs == ["dmcf_jax.cli.{verb}"], verbs
"""


@pytest.mark.slow
@pytest.mark.parametrize("verb", app.VERBS)
def test_a_verb_starts_without_the_others_and_without_jax(verb):
    done = run("-c", IMPORTED.format(verb=verb))
    assert done.returncode == 0, done.stderr


START = "import sys; from dmcf_jax.cli.app import main; sys.argv[0] = 'dmcf'; main()"


@pytest.mark.slow
@pytest.mark.parametrize(
    "start", [("-c", START, "train"), ("scripts/train.py",), ("-m", "dmcf_jax.cli.train")]
)
def test_the_three_ways_to_start_a_verb_are_the_same(start):
    told = run(*start, "--help")
    assert "dmcf train --config=regdb" in told.stdout and "--workdir" in told.stdout
    wrong = run(*start, "--config=regdb", "--wokdir=x")
    assert wrong.returncode == 2 and wrong.stdout == ""
    assert wrong.stderr == (
        "error: Unknown command line flag 'wokdir'. Did you mean: workdir ? (see --help)\n"
    )


@pytest.mark.slow
def test_the_package_is_imported_without_jax_and_offers_its_functions():
    program = """
import sys
import dmcf_jax
assert not {"jax", "flax", "numpy"} & set(sys.modules)
assert {"train", "evaluate", "load_model", "rank"} <= set(dir(dmcf_jax))
from dmcf_jax import train
import dmcf_jax.evaluate
from dmcf_jax.train import train as same
assert train is same is dmcf_jax.train
for name in dmcf_jax.__all__:
    assert getattr(dmcf_jax, name).__name__ == name, name
"""
    done = run("-c", program)
    assert done.returncode == 0, done.stderr


def test_an_unknown_name_of_the_package_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        dmcf_jax.trian  # noqa: B018


def test_bare_names_are_those_of_the_configs_that_people_edit():
    assert names() == ["default", "llcm", "own", "regdb", "synthetic", "sysu_mm01"]
    assert CONFIGS.resolve() == ROOT / "configs"


def test_a_bare_name_is_the_installed_config_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert read_config(["--config=regdb"]).train.steps == 5000
    assert read_config(["--config=sysu_mm01"]).train.steps == 50_000
    config = read_config(["--config=synthetic:dcf", "--config.train.steps=7"])
    assert (config.variant, config.train.steps) == ("dcf", 7)
    assert read_config(["--config", "own:quick"]).variant == "quick"


def test_a_path_is_a_file_even_where_a_config_has_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "regdb.py").write_text(
        "from ml_collections import ConfigDict\n"
        "def get_config(variant=''):\n"
        "    return ConfigDict({'variant': variant})\n"
    )
    assert read_config(["--config=regdb.py:wide"]).variant == "wide"
    assert read_config([f"--config={ROOT}/configs/regdb.py:dcf"]).variant == "dcf"


@pytest.mark.parametrize(
    ("value", "cure"),
    [
        ("configs/regdb.py", "--config=regdb"),
        ("configs/synthetic.py:dcf", "--config=synthetic:dcf"),
        ("regbd", "did you mean --config=regdb?"),
        ("zzz", "expected a file or one of default, llcm, own, regdb"),
        ("missing.py", "there is no file missing.py"),
    ],
)
def test_a_config_that_is_not_there_is_told_what_is(tmp_path, monkeypatch, value, cure):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError) as raised:
        locate(value)
    assert cure in str(raised.value)
    with pytest.raises(UserError) as refused:
        read_config([f"--config={value}", "--config.seed=1"])
    assert refused.value.about == ("--config",) and cure in str(refused.value)
