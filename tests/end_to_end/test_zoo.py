"""docs/zoo.md against what it lists: the shipped file, configs, recorded results, the paper."""

import hashlib
import importlib
import json
import re

import pytest
from support.commands import ROOT

from dmcf_jax.methods.dmcf.published import ROW_OF, printed, title_of

ZOO = (ROOT / "docs/zoo.md").read_text()
DIRECTIONS = ("visible-to-thermal", "thermal-to-visible")


def tables() -> list[list[dict[str, str]]]:
    """Return the rows of each table of the page, by the names of its columns."""
    blocks = re.findall(r"(?:^\|.*\n)+", ZOO, re.MULTILINE)
    cells = [
        [[c.strip() for c in line.strip("| \n").split(" | ")] for line in b.splitlines()]
        for b in blocks
    ]
    return [[dict(zip(block[0], row, strict=True)) for row in block[2:]] for block in cells]


MODELS = [row for table in tables() for row in table if "check" in row]
PUBLISHED = [row for table in tables() for row in table if "here" in row]


def test_the_page_has_its_tables():
    assert len(MODELS) >= 22 and len({row["model"] for row in MODELS}) == len(MODELS)
    assert {row["method"] for row in PUBLISHED} == {title_of(row) for row in ROW_OF}


def test_the_hash_is_that_of_the_shipped_weights():
    (row,) = [row for row in MODELS if "file" in row]
    data = (ROOT / row["file"].strip("`")).read_bytes()
    assert row["SHA-256"].strip("`") == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("row", MODELS, ids=lambda row: row["model"])
def test_a_row_has_a_config_and_the_figures_of_its_record(row):
    name, _, variant = row["config"].strip("`").partition(":")
    config = importlib.import_module(f"dmcf_jax.configs.{name}").get_config(variant)
    assert config.variant == variant and row["seed"].isdecimal()
    path = ROOT / "docs" / re.fullmatch(r"\[\w+\]\((.+)\)", row["check"])[1]
    results = json.loads(path.read_text())["results"]
    for direction in DIRECTIONS:
        metrics = results[f"regdb/{direction}"]["metrics"]
        shown = f"{100 * metrics['rank-1']:.2f} / {100 * metrics['mAP']:.2f}"
        assert row[direction.replace("-", " ")] == shown


def test_every_record_has_a_row():
    linked = {row["check"].partition("](")[2].rstrip(")") for row in MODELS}
    found = {f"expected/zoo/{path.name}" for path in (ROOT / "docs/expected/zoo").iterdir()}
    assert linked == found


@pytest.mark.parametrize("name", ROW_OF)
def test_published_figures_are_those_of_the_paper(name):
    (row,) = [row for row in PUBLISHED if row["method"] == title_of(name)]
    for dataset, column in (("regdb", "RegDB"), ("sysu_mm01", "SYSU-MM01"), ("llcm", "LLCM")):
        paper = printed(dataset, name)
        expected = f"{paper.cmc_1:.2f} / {paper.mAP:.2f}" if paper else "-"
        assert row[f"{column}, published"] == expected
    assert row["row"] == f"`{name}`"
    assert row["here"] == "not measured"
