"""Every public name of the package has a docstring and annotations."""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "dmcf_jax").rglob("*.py"))
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def public(body: list[ast.stmt], prefix: str = "", method: bool = False) -> Iterator[tuple]:
    """Yield (name, node, whether it is a method) of public functions, classes and their methods."""
    for node in body:
        if isinstance(node, FUNCTIONS + (ast.ClassDef,)) and not node.name.startswith("_"):
            yield prefix + node.name, node, method
            if isinstance(node, ast.ClassDef):
                yield from public(node.body, f"{prefix}{node.name}.", method=True)


def problems(source: str) -> list[str]:
    """Return what a module's public names lack."""
    tree = ast.parse(source)
    found = [] if ast.get_docstring(tree) or not tree.body else ["the module has no docstring"]
    for name, node, method in public(tree.body):
        if not ast.get_docstring(node) and not _is_overload(node):
            found.append(f"{name} has no docstring")
        if isinstance(node, FUNCTIONS):
            found += [f"{name}: {part} has no annotation" for part in _bare(node, method)]
    return found


def _is_overload(node):
    return any("overload" in ast.unparse(mark) for mark in node.decorator_list)


def _bare(node, method):
    """Return the arguments without annotation, and 'the result' where it has none."""
    static = any(ast.unparse(mark) == "staticmethod" for mark in node.decorator_list)
    named = [*node.args.posonlyargs, *node.args.args][1 if method and not static else 0 :]
    rest = [each for each in (node.args.vararg, node.args.kwarg) if each]
    bare = [each.arg for each in (*named, *node.args.kwonlyargs, *rest) if not each.annotation]
    return bare + ([] if node.returns else ["the result"])


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_public_names_are_documented_and_annotated(path):
    found = problems(path.read_text())
    assert not found, "\n".join(found)


def test_the_search_finds_what_it_looks_for():
    source = (
        '"""M."""\nclass A:\n  """A."""\n  def f(self, x, *y: int): ...\n  def _g(self, x): ...'
    )
    assert problems(source) == [
        "A.f has no docstring",
        "A.f: x has no annotation",
        "A.f: the result has no annotation",
    ]
    assert problems("def f(x: int) -> int:\n  'F.'") == ["the module has no docstring"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("old", "name", "new"),
    [
        ("dmcf_jax.loaded_model", "load_model", "dmcf_jax"),
        ("dmcf_jax.search", "rank", "dmcf_jax"),
        ("dmcf_jax.export", "load_exported", "dmcf_jax.export.stablehlo"),
        ("dmcf_jax.data.synthetic_people", "render", "dmcf_jax.data.synthetic.people"),
    ],
)
def test_what_was_documented_is_found_at_its_old_place(old, name, new):
    old, new = importlib.import_module(old), importlib.import_module(new)
    assert getattr(old, name) is getattr(new, name)
