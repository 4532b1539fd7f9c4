"""The page of a config's fields: default, meaning, what a field may hold, which methods read it."""

from collections.abc import Iterator
from typing import Any

from dmcf_jax.config.fields import FIELDS
from dmcf_jax.config.read import names, read_config
from dmcf_jax.config.validate import flatten
from dmcf_jax.configs.default import VARIANTS
from dmcf_jax.methods import METHODS
from dmcf_jax.methods.method import METHOD_ROOMS
from scripts.site.comments import meanings

INTRODUCTION = """\
# Fields of a config

A field is overridden as `--config.FIELD=VALUE`, such as `--config.loss.margin=0.3`. Values in
brackets are quoted for the shell: `--config.data.size='(96,48)'`. In the meanings, "paper" marks a
value that the paper gives, "open point" one that it leaves open; [decisions](../decisions.md) has
the reasons.

Of `model`, `loss`, `mtl`, `optim` and `fit` each method reads some fields only. A config that
changes another of them is refused, since the change would have no effect.
"""
CONFIGS = """\
## Configs

What the configs of the package change from the defaults above, and what `own:quick` changes.
"""
ROWS = """\
## Rows

Ablations of the paper and other methods are appended to a config's name: `--config=regdb:bdtr`.
Some have other steps on RegDB and SYSU-MM01, which their config files list.
"""


def page() -> str:
    """Return the page in Markdown."""
    rooms: dict[str, list[str]] = {}
    for field in FIELDS:
        rooms.setdefault(field.rpartition(".")[0] or "config", []).append(field)
    tables = [_table(room, fields) for room, fields in rooms.items()]
    return "\n".join([INTRODUCTION, *tables, CONFIGS, *_configs(), "", ROWS, *_rows(), ""])


def allowed(field: str) -> str:
    """Return what a field may hold, in the words of its own check."""
    check, anything = FIELDS[field], object()
    text = _expected(check(anything))
    if "brackets" in text:
        told = {n: check((anything,) * n) or "" for n in range(1, 5)}
        fitting = [n for n, answer in told.items() if ": an entry " in answer]
        count = f"{fitting[0]} entries" if len(fitting) == 1 else "entries"
        text = f"{count} in brackets, each {_expected(told[fitting[0]])}"
    text = text.replace("one of ,", "one of '',")
    return text + (", or None" if check(None) is None else "")


def readers(field: str) -> str:
    """Return the methods that read a field, '' for a field that every run reads."""
    if field.partition(".")[0] not in METHOD_ROOMS:
        return ""
    found = [name for name, method in METHODS.items() if method.reads_field(field)]
    trained = [name for name, method in METHODS.items() if method.trained]
    return "all that are trained" if found == trained else ", ".join(found)


def _expected(problem: str | None) -> str:
    return (problem or "").rpartition("expected ")[2]


def _table(room: str, fields: list[str]) -> str:
    defaults, texts = flatten(read_config(["--config=default"])), meanings()
    by_method = room in METHOD_ROOMS
    head = ["field", "default", "meaning", "may be", *["read by"] * by_method]
    lines = [f"## {room}", "", _cells(head), _cells(["---"] * len(head))]
    for field in fields:
        cells = [f"`{field}`", _code(defaults[field]), _safe(texts[field]), _safe(allowed(field))]
        lines.append(_cells([*cells, *[readers(field)] * by_method]))
    return "\n".join([*lines, ""])


def _configs() -> Iterator[str]:
    base = flatten(read_config(["--config=default"]))
    for name in [name for name in names() if name != "default"] + ["own:quick"]:
        config = flatten(read_config([f"--config={name}"]))
        yield _changes(name, {field: v for field, v in config.items() if v != base[field]})


def _rows() -> Iterator[str]:
    yield from (_changes(name, fields) for name, fields in VARIANTS.items())


def _changes(name: str, fields: dict[str, Any]) -> str:
    return f"- **{name}**: " + ", ".join(f"`{field} = {v!r}`" for field, v in fields.items())


def _cells(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _code(value: Any) -> str:
    return f"`{value!r}`"


def _safe(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")
