"""How every script starts: flags, a config file, and mistakes answered with one line."""

import contextlib
import re
import signal
import sys
from collections.abc import Callable, Sequence

from absl import app, flags, logging
from ml_collections import ConfigDict, config_flags

from dmcf_jax.errors import UserError, exit_gracefully
from dmcf_jax.runtime.compilation_cache import keep_compiled

_CACHE = flags.DEFINE_string(
    "compilation_cache", "", "Folder of compiled programs; by default in your cache; off for none"
)

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


def run(main: Callable[[], None]) -> None:
    """Parse the flags and call `main`; a user's mistake ends in a sentence and status 2."""
    app.run(exit_gracefully(lambda _: _quietly(main)), flags_parser=_parse)


def host_flags(saves_on_sigterm: bool = False) -> Callable[[], contextlib.AbstractContextManager]:
    """Define the flags of a run on several hosts.

    Args:
        saves_on_sigterm: leave SIGTERM to JAX's preemption service, which only notes it.

    Returns:
        What joins its processes, if there are several, for the body of a `with`: a failure of
        any ends all, and only the first talks.
    """
    multihost = flags.DEFINE_bool(
        "multihost", None, "Join the processes of all hosts; by default where SLURM started many"
    )
    coordinator = flags.DEFINE_string("coordinator", None, "host:port of process 0")
    count = flags.DEFINE_integer("process_count", None, "How many processes there are")
    number = flags.DEFINE_integer("process_id", None, "Which of them this is, from 0")

    @contextlib.contextmanager
    def join():
        from dmcf_jax.runtime import devices as mesh
        from dmcf_jax.runtime import hosts

        mesh.start_hosts(multihost.value, coordinator.value, count.value, number.value)
        if not saves_on_sigterm:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with hosts.ending_together():
            yield

    return join


def _quietly(main: Callable[[], None]) -> None:
    """Call `main` with compiled programs kept and libraries' chatter off (but for --verbosity)."""
    keep_compiled(_CACHE.value)
    if not flags.FLAGS["verbosity"].present:
        logging.set_verbosity(logging.WARNING)
    main()


def _parse(arguments: list[str]) -> list[str]:
    try:
        rest = flags.FLAGS(arguments)
        if "config" in flags.FLAGS:
            # A file that cannot be read is reported by its first use only; this is the first.
            list(flags.FLAGS.config)
    except MISTAKES as error:
        _refuse(sentence(error))
    if len(rest) > 1:
        _refuse(f"unexpected words {rest[1:]}; flags are written --name=value")
    return rest


def read_config(words: Sequence[str]) -> ConfigDict:
    """Return the config that `--config=FILE --config.field=value ...` mean to a script.

    Raises:
        UserError: where a script would refuse them.
    """
    values = flags.FlagValues()
    config_flags.DEFINE_config_file("config", flag_values=values, sys_argv=list(words))
    try:
        values(["read_config", *words])
        return values.config
    except MISTAKES as error:
        raise UserError(sentence(error)) from None


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


def _refuse(problem: str) -> None:
    print(f"error: {problem} (see --help)", file=sys.stderr)
    sys.exit(2)
