"""What is wrong with the commands in a text for a shell, without running them."""

import re
import shlex
from collections.abc import Iterator

from support.commands import ROOT

from dmcf_jax.cli.app import VERBS
from dmcf_jax.config.fields import FIELDS
from dmcf_jax.config.read import read_config
from dmcf_jax.config.validate import validate
from dmcf_jax.errors import UserError

_PROGRAM = re.compile(r"(?:.*/)?dmcf|scripts/(\w+)\.py|benchmarks/(\w+)\.py|benchmarks\.(\w+)")
_END = {"&&", "||", ";", "|", "done"}
_EVERYWHERE = {"compilation_cache", "help", "version"}


def problems(text: str, flags: dict[str, list[dict]]) -> list[str]:
    """Return a line for each unknown verb, flag and field, missing flag and refused config.

    Args:
        flags: of each verb, as `scripts.site.flags.all_flags` gives them.
    """
    found = []
    for verb, words in commands(text):
        if verb.startswith("benchmarks/"):
            found += _benchmark_problems(verb, words)
        elif verb in VERBS:
            found += _verb_problems(verb, words, flags[verb])
        elif not verb.startswith("-"):
            found.append(f"there is no verb {verb!r}")
    return found


def commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield (verb, words) of the project's commands, those in quotes as well.

    The verb of a file of benchmarks/ is its path.
    """
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        for at, word in enumerate(words):
            if "dmcf " in word:  # a command for another machine
                yield from commands(word)
            if program := _PROGRAM.fullmatch(word):
                yield _command(program, words[at + 1 :])


def _command(program: re.Match, words: list[str]) -> tuple[str, list[str]]:
    end = next((at for at, word in enumerate(words) if word in _END), len(words))
    words = [word.removesuffix(";") for word in words[:end]]
    if module := program[2] or program[3]:
        return f"benchmarks/{module}.py", words
    return (program[1], words) if program[1] else ((words or [""])[0], words[1:])


def _given(words: list[str]) -> list[str]:
    return [word[2:].partition("=")[0] for word in words if word.startswith("--")]


def _benchmark_problems(path: str, words: list[str]) -> list[str]:
    known = re.findall(r'"(?:--)?(\w+)"', (ROOT / path).read_text())
    names = [name for name in _given(words) if not name.startswith("config")]
    return [f"{path} has no --{name}" for name in names if name not in known]


def _verb_problems(verb: str, words: list[str], known: list[dict]) -> list[str]:
    names = {flag["name"] for flag in known} | _EVERYWHERE
    names |= {f"no{flag['name']}" for flag in known if flag["boolean"]}
    given, complete = _given(words), not any(word.endswith("...") for word in words)
    fields = [name for name in given if name.startswith("config.") and "config" in names]
    found = [f"{verb} has no --{n}" for n in given if n not in names and n not in fields]
    found += [f"there is no field {f}" for f in fields if f.removeprefix("config.") not in FIELDS]
    if complete:
        required = [flag["name"] for flag in known if flag["required"]]
        found += [f"{verb} lacks --{name}" for name in required if name not in given]
    return found or (_config_problems(words) if complete else [])


def _config_problems(words: list[str]) -> list[str]:
    """Return what a command would say of its config; values that are filled in are left out."""
    filled = re.compile(r".*(?:\$|=[A-Z]+$)")  # $P, SEED
    words = [word for word in words if word.startswith("--config") and not filled.match(word)]
    for at, word in enumerate(words):
        path = word.removeprefix("--config=").partition(":")[0]
        if path.endswith(".py") and not (ROOT / path).exists():
            words[at] = "--config=regdb"  # a file of the reader's own
    if not any(word.startswith("--config=") for word in words):
        return []
    try:
        validate(read_config(words))
    except UserError as error:
        return [str(error)]
    return []
