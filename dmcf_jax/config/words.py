"""The words of a command before they are parsed: `~`, addresses, flags that are given twice.

And what other programs made of them: dashes and quotation marks of text programs, and the line
endings of Windows, which would become parts of names.
"""

import os
import re
from collections.abc import Collection, Iterator, Sequence

from dmcf_jax.errors import Problem, UserError
from dmcf_jax.runtime.paths import HUB, local_path

DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"  # all but the hyphen of keyboards
OPENING, CLOSING = "\u201c\u201e\u201d\u2018\u201a\u00ab", "\u201d\u201c\u2019\u00bb"
_FLAG = re.compile(r"--?(no)?([A-Za-z][\w.]*)(?:=(.*))?", re.DOTALL)


def checked_words(words: Sequence[str], repeatable: Collection[str] = ()) -> list[str]:
    """Return the words of a command with `~` replaced, which no shell does behind `=`.

    Args:
        repeatable: flags that may be given several times.

    Raises:
        UserError: every flag that is given twice, every address where a path is expected, and
            every word that another program changed.
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
        problems += _made_by_programs(word, name)
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


def _made_by_programs(word: str, name: str) -> Iterator[Problem]:
    shown = word.rstrip("\r")
    if word != shown:
        text = (
            f"{shown} ends with a carriage return: the script has the line endings of Windows. "
            "Convert it: sed -i 's/\\r$//' SCRIPT"
        )
        yield Problem(name or shown, text)
    if word[:1] and word[0] in DASHES:
        yield Problem(word, f"{word} begins with a dash of text programs: write --")
    value = shown.partition("=")[2] if name else shown
    quoted = value[:1] in tuple(OPENING) and value[-1:] in tuple(CLOSING) and len(value) > 1
    if quoted and not os.path.exists(value):
        yield Problem(
            name or word, f'{shown} has quotation marks of text programs: write " or none'
        )
