"""Who imports whom: rooms are in layers, imports point downwards, and some are forbidden.

Every import counts, those inside functions too; one that is only for type checkers does not.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = "dmcf_jax"
# From the top down; a room is a folder of the package or a module beside them, '' is its root.
LAYERS = (
    ("cli",),
    ("",),
    ("serve",),
    ("train", "evaluate", "search", "loaded_model"),
    ("experiments", "reports", "retrieval", "export", "training"),
    ("runs",),
    ("config",),
    ("methods",),
    ("weights",),
    ("data", "models", "metrics", "evaluation"),
    ("runtime",),
    ("modality", "errors", "configs"),
)
LEVEL = {room: level for level, rooms in enumerate(reversed(LAYERS)) for room in rooms}
# Rooms that must not know what is beside or below them, but for these.
GROUND = {"runtime", "modality", "errors"}
KNOWS_ONLY = {
    "evaluation": GROUND,
    "models": GROUND,
    "data": GROUND,
    "metrics": {"errors"},
    "weights": GROUND | {"models"},
    "methods": GROUND | {"data", "models", "metrics"},
}
VERSION = f"{PACKAGE}.__version__"  # of the root, which Python imports before any room
OUTSIDE = ("benchmarks", "scripts", "tests", "configs")
ONLY_IN = {"tensorflow_datasets": f"{PACKAGE}.data.records"}


def modules() -> dict[str, Path]:
    """Return every module of the package by its dotted name."""
    files = {path.relative_to(ROOT).with_suffix("").parts: path for path in _sources()}
    return {
        ".".join(parts[:-1] if parts[-1] == "__init__" else parts): path
        for parts, path in files.items()
    }


def _sources() -> list[Path]:
    links = (ROOT / PACKAGE / "configs").glob("*.py")  # a link, which rglob does not follow
    return sorted({*(ROOT / PACKAGE).rglob("*.py"), *links})


def imports(source: str, module: str, is_package: bool) -> Iterator[tuple[int, str]]:
    """Yield (line, dotted name) of all that a module imports, relative names resolved."""
    tree = ast.parse(source)
    unseen = {id(node) for block in ast.walk(tree) if _for_types(block) for node in ast.walk(block)}
    for node in ast.walk(tree):
        if id(node) in unseen:
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _base(node, module, is_package)
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def _for_types(node):
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def _base(node, module, is_package):
    if not node.level:
        return node.module
    parts = module.split(".")
    parts = parts[: len(parts) - node.level + is_package]
    return ".".join([*parts, *([node.module] if node.module else [])])


def room_of(module: str) -> str:
    """Return the room of a dotted name in the package; '' for what the root itself defines."""
    name = [*module.split("."), ""][1]
    place = ROOT / PACKAGE / name
    return name if place.is_dir() or place.with_suffix(".py").is_file() else ""


def arrows() -> list[tuple[str, int, str]]:
    """Return (module, line, imported name) for every import in the package."""
    return [
        (module, line, name)
        for module, path in modules().items()
        for line, name in imports(path.read_text(), module, path.stem == "__init__")
    ]


def problems(arrows: list[tuple[str, int, str]]) -> list[str]:
    """Return a sentence for each import that points upwards or to what a room must not know."""
    sentences = (_problem(module, name) for module, _, name in arrows)
    return [
        f"{module}, line {line}: imports {name}, {sentence}"
        for (module, line, name), sentence in zip(arrows, sentences, strict=True)
        if sentence
    ]


def _problem(module, name):
    top, room, other = name.split(".")[0], room_of(module), room_of(name)
    if top in OUTSIDE:
        return "which is not in the package"
    if top in ONLY_IN and not f"{module}.".startswith(f"{ONLY_IN[top]}."):
        return f"which only {ONLY_IN[top]} may"
    if top != PACKAGE or room == other or name == VERSION:
        return None
    if LEVEL[other] > LEVEL[room]:
        return f"and {other or 'the root'} is above {room}"
    if other not in KNOWS_ONLY.get(room, LEVEL):
        return f"and {room} must not know {other}"
    return None


def circles(arrows: list[tuple[str, int, str]]) -> list[str]:
    """Return the rooms that import themselves through others."""
    below: dict[str, set[str]] = {}
    for module, _, name in arrows:
        if name.split(".")[0] == PACKAGE and room_of(module) != room_of(name):
            below.setdefault(room_of(module), set()).add(room_of(name))
    return sorted(room for room in below if room in _reached(room, below))


def _reached(room, below):
    seen, waiting = set(), list(below[room])
    while waiting:
        other = waiting.pop()
        if other not in seen:
            seen.add(other)
            waiting += below.get(other, ())
    return seen


def test_every_room_has_its_layer():
    assert {room_of(module) for module in modules()} == set(LEVEL)


def test_imports_point_downwards():
    found = problems(arrows())
    assert not found, "\n".join(found)


def test_no_room_imports_itself_through_others():
    assert circles(arrows()) == []


@pytest.mark.parametrize(
    ("module", "source", "expected"),
    [
        ("models.x", "from dmcf_jax.methods.dmcf import levels", "methods is above models"),
        ("models.x", "def f():\n    from dmcf_jax.data import feed", "must not know data"),
        ("evaluation.x", "import dmcf_jax.runs.load", "runs is above evaluation"),
        ("evaluation.x", "import dmcf_jax", "the root is above evaluation"),
        ("runs.x", "from ..training import loop", "training is above runs"),
        ("data.x", "import tensorflow_datasets as tfds", "which only dmcf_jax.data.records may"),
        ("cli.x", "from benchmarks import feed", "not in the package"),
        ("data.records.x", "import tensorflow_datasets", None),
        ("data.x", "from dmcf_jax import __version__, errors", None),
        ("runs.x", "from . import folder\nfrom dmcf_jax.config.build import build", None),
        ("data.x", "if TYPE_CHECKING:\n    from dmcf_jax.train import train", None),
    ],
)
def test_the_search_finds_what_it_looks_for(module, source, expected):
    module = f"{PACKAGE}.{module}"
    found = problems([(module, *one) for one in imports(source, module, is_package=False)])
    assert [expected in sentence for sentence in found] == [True] * (expected is not None)


def test_the_search_finds_a_circle():
    circle = [("dmcf_jax.config.a", 1, "dmcf_jax.runs.b"), ("dmcf_jax.runs.b", 1, "dmcf_jax.train")]
    assert circles(circle) == []
    assert circles([*circle, ("dmcf_jax.train", 1, "dmcf_jax.config")]) == [
        "config",
        "runs",
        "train",
    ]
