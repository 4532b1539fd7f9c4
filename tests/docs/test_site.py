"""The pages of the site that are generated, and the check of the built site."""

import importlib
import inspect
import pkgutil
import re

import pytest
from support.commands import ROOT

import dmcf_jax
from dmcf_jax.config.fields import FIELDS
from dmcf_jax.config.read import read_config
from dmcf_jax.config.validate import flatten
from scripts.site import api, check, comments, examples, fields, root_pages


def walked(path, prefix):
    """Yield the names of all modules below a package as Python finds them, without importing."""
    for found in pkgutil.iter_modules([path]):
        yield prefix + found.name
        if found.ispkg:
            yield from walked(f"{path}/{found.name}", f"{prefix}{found.name}.")


def test_every_module_has_one_page_that_the_menu_leads_to():
    (path,) = dmcf_jax.__path__
    expected = {m for m in walked(path, "dmcf_jax.") if not m.startswith("dmcf_jax.configs")}
    assert {*api.modules()} == expected | {"dmcf_jax"}
    pages = dict(api.pages())
    assert all(f"::: {module}\n" in pages[api.uri(module)] for module in expected)

    def leaves(entry):
        if isinstance(entry, str):
            return [entry]
        parts = entry.values() if isinstance(entry, dict) else entry
        return [leaf for part in parts for leaf in leaves(part)]

    assert sorted(leaves(api.navigation())) == sorted(pages)


@pytest.mark.parametrize("module", ["errors", "evaluation.score", "methods.method", "data.feed"])
def test_public_names_are_what_python_finds(module):
    name = f"dmcf_jax.{module}"
    loaded = importlib.import_module(name)
    own = {k: v for k, v in vars(loaded).items() if getattr(v, "__module__", "") == name}
    tops = {k for k, v in own.items() if k[0] != "_" and (inspect.isclass(v) or callable(v))}
    found = [full.removeprefix(f"{name}.") for full in api.names(name)]
    assert {each.partition(".")[0] for each in found} == tops
    for each in found:
        top, _, method = each.partition(".")
        assert not method or method in vars(own[top])


def test_a_package_lists_its_modules():
    text = dict(api.pages())["api/evaluation/index.md"]
    assert "- [`score`](score.md): Official scores of embeddings" in text
    assert "- [`ranking`](ranking/index.md): " in text


SOURCE = """
def get_config():
    config = ConfigDict()
    # Above
    # the room.
    config.a = a = ConfigDict()
    config.seed = 0  # of all
    # Two lines
    # above,
    a.x = 1  # and one behind

    # A heading.

    a.y = call(
        2,
    )  # last line
    a.z = 3
    return config
"""


def test_a_meaning_is_the_comment_above_and_behind_a_field():
    found = comments.meanings(SOURCE)
    assert found == {
        "a": "Above the room.",
        "seed": "of all",
        "a.x": "Two lines above, and one behind",
        "a.y": "last line",
        "a.z": "",
    }


def test_every_field_is_on_the_page_with_its_default_and_a_meaning():
    page, defaults = fields.page(), flatten(read_config(["--config=default"]))
    rows = dict(re.findall(r"^\| `([\w.]+)` \| `(.*?)` \| .", page, re.M))
    assert rows == {field: repr(defaults[field]) for field in FIELDS}
    assert [field for field in FIELDS if len(comments.meanings().get(field, "")) < 5] == []


def test_what_a_field_may_hold_and_who_reads_it():
    assert fields.allowed("data.trial") == "a whole number from 1 to 10"
    assert fields.allowed("dtype") == "one of float32, bfloat16"
    assert fields.allowed("train.keep_best") == "one of '', mAP, rank-1"
    assert fields.allowed("mtl.start_step") == "a whole number of at least 0, or None"
    text = "2 entries in brackets, each a whole number from 32 to 4096"
    assert fields.allowed("data.size") == text
    text = "entries in brackets, each a number from 0 to 1"
    assert fields.allowed("optim.decay_at") == text
    assert fields.readers("loss.reversal") == "cmgan"
    assert fields.readers("optim.lr_heads") == "all that are trained"
    assert fields.readers("seed") == ""


def test_links_hold_on_github_and_on_the_site():
    pages = dict(root_pages.pages())
    assert "](training.md)" in pages["index.md"] and "](docs/" not in pages["index.md"]
    assert (
        root_pages.for_site("[a](../README.md#try-it) [b](x.md)")
        == "[a](index.md#try-it) [b](x.md)"
    )
    assert root_pages.for_site("a\n\n<!-- needs b -->\n```bash\n```\n") == "a\n\n```bash\n```\n"
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for link in re.findall(r"\]\(([^)#\s:]+)(?:#[^)\s]*)?\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_examples_of_a_command_are_fenced():
    text = "A.\n\n    dmcf a \\\n        --b\n    dmcf c\n\nMore."
    fenced = "A.\n\n```bash\ndmcf a \\\n    --b\ndmcf c\n```\n\nMore."
    assert examples.fenced(text) == fenced
    assert examples.fenced("A.\n\ndmcf b") == "A.\n\n```bash\ndmcf b\n```"
    assert examples.fenced("The command `dmcf`.") == "The command `dmcf`."


@pytest.mark.parametrize(
    "text",
    [
        '<script src="https://x.org/a.js"></script>',
        '<img src="//x.org/a.png">',
        '<img srcset="a.png 1x, http://x.org/a.png 2x">',
        '<link rel="stylesheet" href="https://x.org/a.css">',
        '<link rel="preconnect" href="https://x.org">',
        '<p style="background: url(https://x.org/a.png)">',
        "<style>@import 'https://x.org/a.css';</style>",
        '<svg><use xlink:href="https://x.org/a.svg#b"/></svg>',
        '<form action="https://x.org">',
        '<div class="a mermaid">',
    ],
)
def test_the_check_finds_what_a_page_fetches(tmp_path, text):
    (tmp_path / "a.html").write_text(f"<html>{text}</html>")
    assert len(check.fetches(tmp_path)) == 1


def test_the_check_accepts_hyperlinks_and_own_files(tmp_path):
    (tmp_path / "a.html").write_text(
        '<link rel="canonical" href="https://x.org/"><a href="https://x.org">x</a>'
        '<img src="data:image/png;base64,aaa"><script src="../a.js"></script><p>url(http://x)</p>'
    )
    (tmp_path / "a.css").write_text("a { background: url(../b.png) }")
    assert check.fetches(tmp_path) == []
    (tmp_path / "a.css").write_text("@font-face { src: url('https://x.org/a.woff') }")
    assert check.fetches(tmp_path) == ["a.css fetches https://x.org/a.woff"]


def test_the_check_reports_names_without_an_anchor(tmp_path, capsys):
    assert check.main(tmp_path) == 1 and "no page" in capsys.readouterr().out
    page = tmp_path / "api/errors.html"
    page.parent.mkdir()
    page.write_text('<h1 id="dmcf_jax.errors"></h1><h2 id="dmcf_jax.errors.UserError"></h2>')
    missing = [line for line in check.missing_names(tmp_path) if line.startswith("api/errors")]
    expected = {*api.names("dmcf_jax.errors")} - {"dmcf_jax.errors.UserError"}
    assert expected and {line.rpartition(" ")[2] for line in missing} == expected
