"""One page for each module of the package, which mkdocstrings fills from its docstrings."""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = "api"
PACKAGE = "dmcf_jax"
NAMED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@functools.cache
def modules() -> dict[str, Path]:
    """Return the file of every public module by its dotted name, packages before their modules."""
    files = {}
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        if "configs" not in parts and not any(part.startswith("_") for part in parts):
            files[".".join(parts)] = path
    return dict(sorted(files.items()))


def uri(module: str) -> str:
    """Return where the page of a module is, relative to all pages."""
    path = "/".join([FOLDER, *module.split(".")[1:]])
    return f"{path}/index.md" if _is_package(module) else f"{path}.md"


def pages() -> Iterator[tuple[str, str]]:
    """Yield (uri, Markdown) of every module."""
    for module in modules():
        yield uri(module), f"::: {module}\n\n{_contents(module)}"


def navigation(module: str = PACKAGE) -> list:
    """Return the pages of a package as mkdocs nests them in its navigation."""
    entries: list = [uri(module)]
    for child in _children(module):
        name = child.rpartition(".")[2]
        entries.append({name: navigation(child) if _is_package(child) else uri(child)})
    return entries


def names(module: str) -> list[str]:
    """Return the complete names of a module's public functions, classes and methods."""
    return list(_public(ast.parse(modules()[module].read_text()).body, module))


def _public(body: list[ast.stmt], prefix: str) -> Iterator[str]:
    for node in body:
        if isinstance(node, NAMED) and not node.name.startswith("_"):
            yield f"{prefix}.{node.name}"
            if isinstance(node, ast.ClassDef):
                yield from _public(node.body, f"{prefix}.{node.name}")


def _contents(module: str) -> str:
    """Return the list of what is in a package."""
    lines = [
        f"- [`{child.rpartition('.')[2]}`]({_relative(child, module)}): {_summary(child)}"
        for child in _children(module)
    ]
    return "\n".join(["## Modules", "", *lines, ""]) if lines else ""


def _children(module: str) -> list[str]:
    return [name for name in modules() if name.rpartition(".")[0] == module]


def _relative(child: str, package: str) -> str:
    return uri(child).removeprefix(uri(package).removesuffix("index.md"))


def _summary(module: str) -> str:
    docstring = ast.get_docstring(ast.parse(modules()[module].read_text())) or ""
    return docstring.partition("\n")[0]


def _is_package(module: str) -> bool:
    return modules()[module].name == "__init__.py"
