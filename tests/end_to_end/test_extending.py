"""docs/extending.md as it is: its files and lines go into a copy of the package, its checks run."""

import re
import shutil

import pytest
from support.commands import ROOT, environment, run

_BLOCK = re.compile(r"^```(python|diff)\n(.*?)^```$", re.S | re.M)


def blocks():
    """Return (kind, target, text): 'file' and 'lines' with the path they go to, and 'check'."""
    for language, text in _BLOCK.findall((ROOT / "docs/extending.md").read_text()):
        first, _, rest = text.partition("\n")
        if language == "diff":
            for part in re.split(r"^--- ", text, flags=re.M)[1:]:
                yield "lines", *part.split("\n", 1)
        elif first == "# check":
            yield "check", "", rest
        else:
            yield "file", first.removeprefix("# "), rest


def insert(source, lines):
    """Insert lines that begin with '+' below the line above them, which must be there once."""
    anchor, added = "", []
    for line in [*lines.splitlines(), " "]:
        if line.startswith("+"):
            added.append(line[1:] + "\n")
            continue
        if added:
            assert source.count(anchor) == 1, f"{anchor!r} is there {source.count(anchor)} times"
            source = source.replace(anchor, anchor + "".join(added))
        anchor, added = line[1:] + "\n", []
    return source


@pytest.fixture(scope="module")
def extended(tmp_path_factory):
    """A copy of the package with all that the page adds."""
    copy = tmp_path_factory.mktemp("extended")
    for folder in ("dmcf_jax", "configs"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, copy / folder, symlinks=True, ignore=ignored)
    for kind, target, text in blocks():
        if kind == "file":
            assert not (copy / target).exists()
            (copy / target).write_text(text)
        elif kind == "lines":
            (copy / target).write_text(insert((copy / target).read_text(), text))
    return copy


def test_a_loss_a_backbone_a_data_set_and_a_method_are_one_file_each(extended):
    by_kind = {kind: [] for kind in ("file", "check", "lines")}
    for kind, _, text in blocks():
        by_kind[kind].append(text)
    assert len(by_kind["file"]) == len(by_kind["check"]) == 4
    lines = [line for text in by_kind["lines"] for line in text.splitlines()]
    assert all(line.startswith((" ", "+")) for line in lines)


@pytest.mark.slow
def test_every_check_of_the_page_holds(extended, tmp_path):
    checks = [text for kind, _, text in blocks() if kind == "check"]
    script = tmp_path / "checks.py"
    script.write_text("\n".join(["import os", f"os.chdir({str(tmp_path)!r})", *checks]))
    ran = run(script, env=environment() | {"PYTHONPATH": str(extended)})
    assert ran.returncode == 0, ran.stderr
