"""How every script starts: flags, a config file, and mistakes answered with one line."""

import re
import sys
from collections.abc import Callable

from absl import app, flags, logging

from dmcf_jax.errors import exit_gracefully


def run(main: Callable[[], None]) -> None:
    """Parse the flags and call `main`; a user's mistake ends in a sentence and status 2."""
    app.run(exit_gracefully(lambda _: _quietly(main)), flags_parser=_parse)


def _quietly(main: Callable[[], None]) -> None:
    """Call `main` with libraries' informational logs off, unless --verbosity asks for them."""
    if not flags.FLAGS["verbosity"].present:
        logging.set_verbosity(logging.WARNING)
    main()


def _parse(arguments: list[str]) -> list[str]:
    try:
        rest = flags.FLAGS(arguments)
        if "config" in flags.FLAGS:
            # A file that cannot be read is reported by its first use only; this is the first.
            list(flags.FLAGS.config)
    except (flags.Error, AttributeError, KeyError, TypeError, ValueError, OSError) as error:
        _refuse(_sentence(error))
    if len(rest) > 1:
        _refuse(f"unexpected words {rest[1:]}; flags are written --name=value")
    return rest


def _sentence(error: Exception) -> str:
    """Return one line of a parser's complaint: of a quoted traceback only what was raised."""
    text = str(error).replace("\\n", "\n").replace("\\'", "'")
    if "Traceback" in text:
        text = text.strip().splitlines()[-1].partition(": ")[2]
    text = " ".join(line.strip() for line in text.splitlines())
    unknown = re.search(r"(\w+)'? Did you mean \"(\w+)\"", text)
    if unknown:
        return f"there is no config field {unknown[1]!r}; did you mean {unknown[2]!r}?"
    return text


def _refuse(problem: str) -> None:
    print(f"error: {problem} (see --help)", file=sys.stderr)
    sys.exit(2)
