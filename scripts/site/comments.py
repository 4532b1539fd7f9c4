"""The comments of configs/default.py, which explain a config's fields."""

import ast
import io
import tokenize
from pathlib import Path

DEFAULT = Path(__file__).parents[2] / "configs/default.py"


def meanings(source: str | None = None) -> dict[str, str]:
    """Return the comment of each field that `get_config` sets, by the field's dotted name.

    A comment is the lines directly above a field, then what stands behind its value.

    Args:
        source: by default configs/default.py.
    """
    source = DEFAULT.read_text() if source is None else source
    comments, lines = _comments(source), source.splitlines()
    found, rooms = {}, {"config": ""}
    for node in _assignments(source):
        target, *short = (ast.unparse(each) for each in node.targets)
        room, _, name = target.rpartition(".")
        field = f"{rooms.get(room, room.removeprefix('config.') + '.')}{name}"
        rooms |= {each: f"{field}." for each in short}  # config.data = data = ConfigDict()
        parts = [*_above(node.lineno, lines), comments.get(node.end_lineno or 0, "")]
        found[field] = " ".join(filter(None, parts))
    return found


def _assignments(source: str) -> list[ast.Assign]:
    (function,) = [
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef) and node.name == "get_config"
    ]
    assigned = [node for node in function.body if isinstance(node, ast.Assign)]
    return [node for node in assigned if isinstance(node.targets[0], ast.Attribute)]


def _comments(source: str) -> dict[int, str]:
    """Return the comment of each line that has one."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {t.start[0]: t.string.lstrip("# ") for t in tokens if t.type == tokenize.COMMENT}


def _above(number: int, lines: list[str]) -> list[str]:
    """Return the comment lines that end directly above line `number`, which counts from 1."""
    found: list[str] = []
    for line in reversed(lines[: number - 1]):
        if not line.lstrip().startswith("#"):
            break
        found.insert(0, line.lstrip(" #"))
    return found
