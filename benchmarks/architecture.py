"""Measure the structure of a checkout: rooms, floors, imports, circles; prints one JSON object.

python -m benchmarks.architecture
python -m benchmarks.architecture --root=PATH_OF_ANOTHER_CHECKOUT

A room is a folder of the package or a module beside the folders. A room is one floor above the
highest room that it imports.
"""

import argparse
import ast
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

PACKAGE = "dmcf_jax"


def measure(root: Path) -> dict[str, int]:
    """Return the counts of the checkout at `root`, by what they count."""
    sources = _sources(root)
    arrows = {(a, b) for a, path in sources.items() for b in _imports(path, sources)}
    arrows = {(a, b) for a, b in arrows if a != b and b in sources}
    rooms = {(_room(a), _room(b)) for a, b in arrows}
    rooms = {(a, b) for a, b in rooms if a != b}
    importers = Counter(b for _, b in arrows)
    floors, circles = _floors({_room(name) for name in sources}, rooms)
    return {
        "modules": len(sources),
        "modules at the top level": sum(path.parent == root / PACKAGE for path in sources.values()),
        "rooms": len({_room(name) for name in sources}),
        "floors": max(floors.values()),
        "arrows between rooms": len(rooms),
        "rooms in a circle": circles,
        "modules imported by one other only": sum(n == 1 for n in importers.values()),
        "modules that read a config": sum(_reads_config(path) for path in sources.values()),
        "lines": sum(len(path.read_text().splitlines()) for path in sources.values()),
        "statements": sum(_statements(path) for path in sources.values()),
    }


def _sources(root: Path) -> dict[str, Path]:
    """Return the package's modules by dotted name, without empty `__init__` files and configs."""
    found = {}
    for path in sorted((root / PACKAGE).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        if parts[1] != "configs" and not (parts[-1] == "__init__" and len(parts) == 2):
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def _imports(path: Path, sources: dict[str, Path]) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in sources else node.module for name in names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def _room(name: str) -> str:
    """Return the folder directly below the package that a module is in, or the module itself."""
    return ".".join(name.split(".")[:2])


def _floors(rooms: set[str], arrows: set[tuple[str, str]]) -> tuple[dict[str, int], int]:
    """Return each room's floor and how many rooms are in a circle; those share the next floor."""
    floors: dict[str, int] = {}
    below = {room: {b for a, b in arrows if a == room and b in rooms} for room in rooms}
    circles = 0
    while len(floors) < len(rooms):
        ready = [r for r in rooms if r not in floors and below[r] <= floors.keys()]
        if not ready:
            left = rooms - floors.keys()
            ready = [r for r in left if r in _reached(r, below)]
            circles += len(ready)
        next_floors = {r: 1 + max((floors.get(b, 0) for b in below[r]), default=0) for r in ready}
        floors |= next_floors
    return floors, circles


def _reached(start: str, below: dict[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = list(below[start])
    while waiting:
        room = waiting.pop()
        if room not in seen:
            seen.add(room)
            waiting += below[room]
    return seen


def _statements(path: Path) -> int:
    """Return how many statements a module has: lines of code without layout and prose."""
    nodes = ast.walk(ast.parse(path.read_text()))
    return sum(isinstance(node, ast.stmt) and not _is_docstring(node) for node in nodes)


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _reads_config(path: Path) -> bool:
    """Return whether a module takes a run's config or reads a field of one.

    Flags that its messages name, such as --config.seed, do not count.
    """
    return any(
        (isinstance(node, ast.Name) and node.id == "ConfigDict")
        or (isinstance(node, ast.Attribute) and _is_config(node.value))
        for node in ast.walk(ast.parse(path.read_text()))
    )


def _is_config(node: ast.expr) -> bool:
    name = node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")
    return name == "config"


def main() -> None:
    """Measure by the flags."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=Path(__file__).parents[1])
    print(json.dumps({"what": "architecture", **measure(parser.parse_args().root)}))


if __name__ == "__main__":
    main()
