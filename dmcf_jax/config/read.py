"""Reading a config: where a name or a path leads, and a sentence for what is wrong in it."""

import difflib
import re
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags
from ml_collections import ConfigDict, config_flags

from dmcf_jax.errors import UserError

# In a clone a symbolic link to the configs/ that people edit; in a wheel a copy of them.
CONFIGS = Path(__file__).parents[1] / "configs"

# What parsing flags and reading a config file may raise; a config file is a user's program.
MISTAKES = (
    flags.Error,
    AttributeError,
    KeyError,
    OverflowError,
    TypeError,
    ValueError,
    OSError,
)

flags.disclaim_key_flags()  # so that --help lists --config among the flags of the command


def names() -> list[str]:
    """Return the names of the installed configs, which `--config=NAME` takes from any folder."""
    return sorted(path.stem for path in CONFIGS.glob("*.py") if path.stem != "__init__")


def locate(value: str) -> str:
    """Return `FILE` or `FILE:VARIANT` for what `--config` was given.

    Args:
        value: an installed config's name or the path of a file, either with `:VARIANT`.

    Raises:
        ValueError: an unknown name, or the path of an installed config that is not there.
    """
    path, colon, variant = value.partition(":")
    if path in names():
        return f"{CONFIGS / path}.py{colon}{variant}"
    if Path(path).exists():
        return value
    stem = Path(path).stem
    if stem in names():
        cure = f"dmcf_jax comes with a config of this name, --config={stem}{colon}{variant}"
    elif near := difflib.get_close_matches(stem, names(), 1):
        cure = f"did you mean --config={near[0]}?"
    else:
        cure = f"expected a file or one of {', '.join(names())}"
    raise ValueError(f"there is no {'config' if path == stem else 'file'} {path}: {cure}")


class _NamedConfigParser(flags.ArgumentParser):
    """Parses names of installed configs beside paths."""

    def __init__(self, files: flags.ArgumentParser):
        """Wrap the parser of paths, `files`."""
        super().__init__()
        self._files = files

    def parse(self, argument: str) -> Any:
        """Return what `get_config` in the file returns, a ConfigDict if it keeps its promise.

        Raises:
            ValueError: the file, which is a program, fails in a way that is not in `MISTAKES`.
        """
        file = locate(argument)
        try:
            return self._files.parse(file)
        except MISTAKES:
            raise
        except Exception as error:
            raise ValueError(_failure(file.partition(":")[0], error)) from error

    def flag_type(self) -> str:
        """Return what the help calls the value."""
        return self._files.flag_type()


def _failure(file: str, error: Exception) -> str:
    """Return what failed in a config file, and in which line of it."""
    frames = [
        f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename) == Path(file)
    ]
    line = error.lineno if isinstance(error, SyntaxError) else frames[-1].lineno if frames else None
    place = f"{file}, line {line}" if line else file
    return f"{place}: {type(error).__name__}: {error}"


def define_config(
    help_string: str,
    default: str | None = None,
    flag_values: flags.FlagValues = flags.FLAGS,
    sys_argv: list[str] | None = None,
) -> flags.FlagHolder:
    """Define `--config` and, where it is used, `--config.FIELD`.

    Args:
        default: a name or a path.
        flag_values: where to define it.
        sys_argv: where fields are looked for; by default in the command's words.
    """
    holder = config_flags.DEFINE_config_file(
        "config", None, help_string, flag_values=flag_values, sys_argv=sys_argv
    )
    flag = flag_values["config"]
    flag.parser = _NamedConfigParser(flag.parser)
    if default is not None:
        flag_values.set_default("config", default)
    return holder


def read_config(words: Sequence[str]) -> ConfigDict:
    """Return the config that `--config=NAME --config.field=value ...` mean to a command.

    Raises:
        UserError: where a command would refuse them.
    """
    values = flags.FlagValues()
    define_config("Name or path", flag_values=values, sys_argv=list(words))
    try:
        values(["read_config", *words])
        list(values.config)  # a file that cannot be read is reported by its first use only
        return values.config
    except MISTAKES as error:
        raise UserError(sentence(error), about="--config") from None


def sentence(error: Exception) -> str:
    """Return one line of a parser's complaint: of a quoted traceback only what was raised."""
    text = str(error.args[0] if isinstance(error, KeyError) else error)
    text = text.replace("\\n", "\n").replace("\\'", "'")
    if "Traceback" in text:
        text = text.strip().splitlines()[-1].partition(": ")[2]
    text = " ".join(line.strip() for line in text.splitlines())
    unknown = re.search(r"(\w+)'? Did you mean \"(\w+)\"", text)
    if unknown:
        return f"there is no config field {unknown[1]!r}; did you mean {unknown[2]!r}?"
    if " " not in text:
        name = text.strip("'\"")
        return f"there is no config field {name!r}"
    return text
