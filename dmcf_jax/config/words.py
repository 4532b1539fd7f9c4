"""The words of a command before they are parsed: `~`, addresses, flags that are given twice."""

import re
from collections.abc import Collection, Sequence

from dmcf_jax.errors import Problem, UserError
from dmcf_jax.runtime.paths import HUB, local_path

_FLAG = re.compile(r"--?(no)?([A-Za-z][\w.]*)(?:=(.*))?", re.DOTALL)


def checked_words(words: Sequence[str], repeatable: Collection[str] = ()) -> list[str]:
    """Return the words of a command with `~` replaced, which no shell does behind `=`.

    Args:
        repeatable: flags that may be given several times.

    Raises:
        UserError: every flag that is given twice, and every address where a path is expected.
    """
    problems: list[Problem] = []
    given: dict[str, str] = {}
    done = []
    for word in words:
        flag = _FLAG.fullmatch(word)
        name = f"--{flag[2]}" if flag else ""
        if flag and name[2:] not in repeatable:
            if name in given:
                text = f"{name} is given twice ({given[name]}, {word}): the first has no effect"
                problems.append(Problem(name, text))
            given[name] = word
        done.append(_with_paths(word, name, (flag[3] if flag else word) or "", problems))
    if problems:
        raise UserError.listing("these flags cannot be used:", problems)
    return done


def _with_paths(word: str, name: str, value: str, problems: list[Problem]) -> str:
    """Return `word` with each of its value's parts, separated by commas, as a path."""
    parts = []
    for part in value.split(","):
        try:
            is_path = part.startswith("~") or (":/" in part and not part.startswith(HUB))
            parts.append(str(local_path(part, name)) if is_path else part)
        except UserError as error:
            problems += error.problems
    return word[: len(word) - len(value)] + ",".join(parts) if value else word
