"""Every fenced block of the documentation is run, or says what it needs and is checked by parts."""

import ast
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.commands import QUICK_TO_COMPILE, ROOT, environment
from support.page_commands import problems
from support.pages import PAGES, blocks

from dmcf_jax.cli.app import VERBS
from scripts.site import flags as flags_page

# Pages whose blocks a test of their own runs.
ELSEWHERE = {
    "docs/tutorial.md": "tests/end_to_end/test_tutorial.py",
    "docs/extending.md": "tests/end_to_end/test_extending.py",
}
# Pages whose blocks are run here: what they need, they make.
HERE = ("docs/embeddings.md", "docs/search.md", "docs/settings.md")
ALL = [block for page in PAGES for block in blocks(page)]
BY_FILE = [block for block in ALL if block.mark.startswith("run by ")]
NOT_RUN = [block for block in ALL if block.mark.startswith("needs ")] + BY_FILE
TO_RUN = [block for block in ALL if block not in NOT_RUN]


def test_each_block_names_its_language_and_is_run_or_says_what_it_needs():
    assert len(PAGES) > 15 and len(ALL) > 50
    languages = {str(block): block.language for block in ALL}
    assert {k: v for k, v in languages.items() if v not in ("bash", "python", "diff")} == {}
    # <!-- needs RegDB -->, or <!-- run by FILE -->, in the line above; or its page is one to run
    neither = [block for block in TO_RUN if block.mark or block.page not in (*HERE, *ELSEWHERE)]
    assert [f"{block}: {block.mark}" for block in neither] == []


def test_a_page_that_is_run_elsewhere_is_read_there():
    for page, test in ELSEWHERE.items():
        assert page in (ROOT / test).read_text()
        assert page in {block.page for block in TO_RUN}


@pytest.mark.parametrize("block", BY_FILE, ids=str)
def test_what_is_run_by_a_file_is_in_it(block):
    program = (ROOT / block.mark.removeprefix("run by ")).read_text()
    assert [line for line in block.text.splitlines() if line not in program] == []


@pytest.fixture(scope="module")
def flags():
    return flags_page.all_flags()


@pytest.mark.parametrize("block", [b for b in ALL if b.language == "bash"], ids=str)
def test_commands_flags_and_fields_of_a_block_exist(block, flags, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert problems(block.text, flags) == []


def test_the_examples_of_every_verb_are_commands_too(flags, monkeypatch):
    monkeypatch.chdir(ROOT)
    examples = re.findall(r"```bash\n(.*?)```", flags_page.page(), re.S)
    assert [verb for verb in VERBS if not any(f"dmcf {verb}" in e for e in examples)] == []
    assert [problem for text in examples for problem in problems(text, flags)] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dmcf trian --config=regdb", ["there is no verb 'trian'"]),
        ("dmcf train --workdir=a --stepp=1 --config=regdb", ["train has no --stepp"]),
        ("dmcf train \\\n  --config=regdb  # why", ["train lacks --workdir"]),
        ("srun dmcf train --config.los=1 ...", ["there is no field config.los"]),
        ('ssh h --command="cd a && b/dmcf embed --model=m --out=o"', ["embed lacks --images"]),
        ("python -m benchmarks.architecture --rot=.", ["benchmarks/architecture.py has no --rot"]),
        ("for P in 8; do python scripts/train.py --workdir=a --config=own:quickk; done", 1),
        ("dmcf train --workdir=a --config=regdb --config.loss.margin=-1", 1),
        ("dmcf train ... && python scripts/benchmark.py --what=ranking", []),
        ("dmcf train --workdir=a --config=mine.py:wide --config.sampler.P=$P", []),
        ("dmcf train --workdir=a --config=regdb --config.seed=SEED", []),
    ],
)
def test_the_search_for_problems_finds_them(flags, text, expected):
    found = problems(text, flags)
    assert len(found) == expected if isinstance(expected, int) else found == expected


@pytest.mark.parametrize("block", [b for b in NOT_RUN if b.language == "python"], ids=str)
def test_names_that_a_block_imports_from_the_package_exist(block):
    for node in ast.walk(ast.parse(block.text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dmcf_jax"):
            module = importlib.import_module(node.module)
            assert [each.name for each in node.names if not hasattr(module, each.name)] == []


def as_script(page):
    """Return the blocks of a page that are run, as one shell script."""
    wrapped = {"bash": "{}", "python": "python - <<'END_OF_BLOCK'\n{}END_OF_BLOCK\n"}
    return "\n".join(wrapped[b.language].format(b.text) for b in TO_RUN if b.page == page)


@pytest.mark.slow
@pytest.mark.parametrize("page", HERE)
def test_the_blocks_of_a_page_run_in_order_in_an_empty_folder(page, tmp_path, tmp_path_factory):
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    cache = tmp_path_factory.mktemp("cache")
    words = ["bash", "-euo", "pipefail", "-c", as_script(page)]
    env = environment(PATH=path, cache=cache, **QUICK_TO_COMPILE)
    done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
