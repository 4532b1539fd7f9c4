"""The page of the commands: every verb with its examples and flags, as the program defines them.

python -m scripts.site.flags prints the flags of all verbs as JSON.
"""

import ast
import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from scripts.site.examples import fenced

ROOT = Path(__file__).parents[2]
TITLE = "# Commands and flags"
INTRODUCTION = """\
`dmcf VERB --flag=value ...`; `dmcf VERB --help` prints the flags as well. In a clone,
`python scripts/VERB.py` is the same. Every command also takes `--compilation_cache`: the folder of
compiled programs, `off` for none.

Where a command takes `--config`, it also takes `--config.FIELD=VALUE` for each of the
[fields](fields.md). Lists are written with commas; `--flag` and `--noflag` say yes and no.
"""


def page() -> str:
    """Return the page in Markdown."""
    flags = all_flags()
    return "\n".join([TITLE, "", INTRODUCTION, *(_section(verb, flags[verb]) for verb in flags)])


def all_flags() -> dict[str, list[dict[str, Any]]]:
    """Return name, default, help and whether it is required of each flag, by verb.

    A process of its own reads them: a flag is global where it is defined.
    """
    command = [sys.executable, "-m", "scripts.site.flags"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
    return json.loads(done.stdout)


def file_of(verb: str) -> Path:
    """Return the file that defines the flags of a verb."""
    return ROOT / ("benchmarks/__main__.py" if verb == "benchmark" else f"dmcf_jax/cli/{verb}.py")


def _section(verb: str, flags: list[dict[str, Any]]) -> str:
    docstring = ast.get_docstring(ast.parse(file_of(verb).read_text())) or ""
    lines = [f"## {verb}", "", fenced(docstring), ""]
    lines += ["| flag | default | meaning |", "| --- | --- | --- |"]
    return "\n".join([*lines, *map(_row, flags), ""])


def _row(flag: dict[str, Any]) -> str:
    text = " ".join(flag["help"].split()).rstrip(".").replace("|", "\\|").replace("<", "&lt;")
    default = "required" if flag["required"] else f"`{flag['default']}`" * bool(flag["default"])
    return f"| `--{flag['name']}` | {default} | {text} |"


def _read_flags() -> dict[str, list[dict[str, Any]]]:
    """Import each verb in turn, and take back the flags that it defined."""
    from absl import flags

    from dmcf_jax.cli.app import VERBS

    found, before = {}, set(flags.FLAGS)
    for verb in VERBS:
        parts = file_of(verb).relative_to(ROOT).with_suffix("").parts
        importlib.import_module(".".join(parts))
        added = [name for name in flags.FLAGS if name not in before]
        found[verb] = [_described(flags.FLAGS[name]) for name in sorted(added)]
        flags.FLAGS.remove_flag_values(added)
    return found


def _described(flag: Any) -> dict[str, Any]:
    required = any("must have a value" in check.message for check in flag.validators)
    empty = flag.default is None or flag.default is False or flag.default == []
    return {
        "name": flag.name,
        "default": "" if empty else str(flag.default),
        "help": flag.help or "",
        "required": required,
        "boolean": flag.boolean,
    }


if __name__ == "__main__":
    print(json.dumps(_read_flags()))
