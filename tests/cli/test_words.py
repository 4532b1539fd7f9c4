"""The words of a command: `~`, addresses, flags given twice, and flags that nothing reads."""

import ast
import re
import sys
from pathlib import Path

import pytest

import dmcf_jax
from dmcf_jax.cli import app
from dmcf_jax.config.fields import FIELDS
from dmcf_jax.config.words import checked_words
from dmcf_jax.data.image_store import load_images
from dmcf_jax.data.records.prepare_own import prepare_own
from dmcf_jax.errors import UserError
from dmcf_jax.retrieval.picture_list import list_images
from dmcf_jax.runs.load import load_trained
from dmcf_jax.runtime.paths import local_path

PACKAGE = Path(dmcf_jax.__file__).parent


def refused(*words, **options):
    with pytest.raises(UserError) as error:
        checked_words(words, **options)
    return error.value


def test_a_tilde_behind_an_equals_sign_is_the_home(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ann")
    words = ["--data_dir=~/data", "--config.data.data_dir=~/d", "--workdir", "~/run", "--seed=1"]
    assert checked_words(words) == [
        "--data_dir=/home/ann/data",
        "--config.data.data_dir=/home/ann/d",
        "--workdir",
        "/home/ann/run",
        "--seed=1",
    ]
    assert checked_words(["--pool=~/a,~/b"]) == ["--pool=/home/ann/a,/home/ann/b"]
    assert checked_words(["--images=a~b.png", "--name=x~"]) == ["--images=a~b.png", "--name=x~"]


@pytest.mark.parametrize(
    ("word", "about"),
    [
        ("--workdir=runs/a\r", "--workdir"),
        ("runs/a\r", "runs/a"),
        ("--nomultihost\r", "--nomultihost"),
        ("\u2013config=regdb", "\u2013config=regdb"),
        ("\u2014workdir=a", "\u2014workdir=a"),
        ("--workdir=\u201cruns/a\u201d", "--workdir"),
        ("--images=\u00abmes photos\u00bb", "--images"),
        ("\u2018a b\u2019", "\u2018a b\u2019"),
    ],
)
def test_what_text_programs_and_windows_make_of_words_is_refused(word, about):
    assert refused("--seed=1", word).about == (about,)


def test_such_signs_inside_of_names_are_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "\u201cnight\u201d").mkdir()
    words = ["--a=x\u2013y", "--query=\u201cnight\u201d", "--b=it\u2019s", "--c=\u201c", "-3", ""]
    assert checked_words(words) == words


def test_an_unknown_home_is_refused():
    assert refused("--data_dir=~nobody_of_this_name/x").about == ("--data_dir",)


@pytest.mark.parametrize(
    "address", ["gs://b/run", "s3://b", "hdfs://n/x", "https://x.org/a.zip", "az+blob://c"]
)
def test_an_address_is_no_folder(address):
    assert refused(f"--workdir={address}", "--config.seed=1").about == ("--workdir",)
    with pytest.raises(UserError, match="mount"):
        local_path(Path(address))


def test_what_only_resembles_an_address_is_kept():
    words = ["--config.model.pretrained=hf://timm/resnet50", "--coordinator=host:8476", "--a=b:c/d"]
    assert checked_words(words) == words


@pytest.mark.parametrize(
    "words",
    [
        ("--gallery=A", "--gallery=B"),
        ("--gallery", "A", "--gallery=A"),
        ("--flip", "--noflip"),
        ("--config.seed=1", "--config.seed=2"),
        ("-top=3", "--top=3"),
    ],
)
def test_a_flag_given_twice_is_refused(words):
    about = "--" + re.sub("^-+|=.*", "", words[0])
    assert refused(*words).about == (about,)


def test_a_flag_that_may_be_repeated_is_not_refused_and_all_faults_come_at_once():
    words = ["--set=a=1", "--set=b=2", "--config.seed=1", "--config.steps=1"]
    assert checked_words(words, repeatable=["set"]) == words
    error = refused("--a=1", "--a=2", "--b=gs://x", "--c=1", "--c=1")
    assert error.about == ("--a", "--b", "--c")


def test_a_program_is_refused_addresses_and_understood_with_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for call in (
        lambda: prepare_own("gs://bucket/people", tmp_path / "d"),
        lambda: prepare_own(tmp_path, "s3://bucket/data"),
        lambda: load_images("own", "gs://bucket/data", ("test",), (8, 8)),
        lambda: load_trained("gs://bucket/run"),
        lambda: list_images("gs://bucket/people", "visible"),
    ):
        with pytest.raises(UserError, match="is an address"):
            call()
    (tmp_path / "a.png").touch()
    assert list_images("~/a.png", "visible").root == tmp_path


def test_the_command_refuses_before_it_does_anything(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["dmcf", "--top=1", "--top=2"])
    with pytest.raises(SystemExit) as ended:
        app._parse(sys.argv)
    assert ended.value.code == 2 and "--top is given twice" in capsys.readouterr().err


def flags_without_reader(source: str, others: str = "") -> list[str]:
    """Return the flags that a verb's file defines and neither it nor `others` read."""
    tree, unread = ast.parse(source), []
    for node in ast.walk(tree):
        call = node.value if isinstance(node, ast.Assign | ast.Expr) else None
        if not (isinstance(call, ast.Call) and "DEFINE" in ast.unparse(call.func)):
            continue
        name = ast.literal_eval(call.args[0])
        if isinstance(node, ast.Assign):
            read = f"{ast.unparse(node.targets[0])}.value" in source
        else:  # as options.NAME, or by a dataclass whose fields are the flags
            used = rf'options(\.{name}\b|, "{name}")'
            read = re.search(used, source) or re.search(rf"\n    {name}:", others)
        unread += [] if read else [name]
    return unread


@pytest.mark.parametrize("verb", app.VERBS)
def test_every_flag_of_a_verb_is_read(verb):
    source = (PACKAGE / "cli" / f"{verb}.py").read_text()
    others = (PACKAGE / "search.py").read_text() if verb == "search" else ""
    assert flags_without_reader(source, others) == []


def test_the_search_for_flags_finds_one():
    source = '_A = flags.DEFINE_bool("a", 0, "")\nflags.DEFINE_string("b", "", "")\nprint(_B.value)'
    assert flags_without_reader(source) == ["a", "b"]


def test_every_field_of_a_config_is_read():
    read, texts = set(), set()
    for path in PACKAGE.rglob("*.py"):
        if path.relative_to(PACKAGE).parts[0] in ("configs",) or path.name == "fields.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                read.add(node.attr)
            elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
                read.add(str(node.slice.value).rsplit(".", 1)[-1])
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.add(node.value)
    starts = tuple(text for text in texts if text.endswith("_"))  # of names put together: lr_...
    last = {name: name.rsplit(".", 1)[-1] for name in FIELDS}
    unread = [n for n in FIELDS if last[n] not in read and not last[n].startswith(starts)]
    assert unread == []
