"""The command `dmcf`, and how each of its verbs starts: flags, a config, mistakes in one line."""

import ast
import contextlib
import difflib
import io
import runpy
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from absl import app, flags, logging

import dmcf_jax
from dmcf_jax import __version__
from dmcf_jax.config.read import MISTAKES, sentence
from dmcf_jax.config.words import checked_words
from dmcf_jax.errors import UserError, exit_gracefully
from dmcf_jax.runtime.compilation_cache import keep_compiled
from dmcf_jax.runtime.streams import open_closed_streams

# In the order of their use; each is the file of this folder with its name.
VERBS = (
    "demo",
    "prepare_data",
    "train",
    "evaluate",
    "score",
    "embed",
    "search",
    "serve",
    "export",
    "figures",
    "compare",
    "experiments",
    "benchmark",
)
flags.disclaim_key_flags()  # so that --help lists host_flags among the flags of the verb

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"  # of a clone

_CACHE = flags.DEFINE_string(
    "compilation_cache", "", "Folder of compiled programs; by default in your cache; off for none"
)


def main() -> None:
    """Run `dmcf VERB --flag=value ...`, or list the verbs."""
    verb, *words = sys.argv[1:] or ["--help"]
    if verb in ("--help", "-h", "--helpshort", "help"):
        print(usage())
    elif verb == "--version":
        print(__version__)
    elif verb in VERBS:
        sys.argv[1:] = words
        run_verb(verb)
    else:
        near = difflib.get_close_matches(verb, VERBS, 1)
        cure = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(VERBS)}"
        print(f"error: there is no command {verb!r}; {cure} (see dmcf --help)", file=sys.stderr)
        sys.exit(2)


def usage() -> str:
    """Return a line for each verb: the first of its file's docstring."""
    shown = [verb for verb in VERBS if verb != "benchmark" or BENCHMARKS.is_dir()]
    lines = [f"  {verb:14}{_summary(verb)}" for verb in shown]
    start = "usage: dmcf VERB --flag=value ...    (dmcf VERB --help lists the flags of a verb)"
    return "\n".join([str(dmcf_jax.__doc__), "", start, "", *lines])


def _summary(verb: str) -> str:
    # Read, not imported: flags are global, so that only one verb can be imported in a process.
    tree = ast.parse(Path(__file__).with_name(f"{verb}.py").read_text())
    docstring = ast.get_docstring(tree)
    assert docstring, f"{verb}.py has no docstring"
    return docstring.splitlines()[0]


def run_verb(verb: str) -> None:
    """Run a verb with the flags in `sys.argv`, as `python -m dmcf_jax.cli.VERB` does."""
    runpy.run_module(f"dmcf_jax.cli.{verb}", run_name="__main__", alter_sys=True)


def run(main: Callable[[], None]) -> None:
    """Parse the flags and call `main`; a user's mistake ends in a sentence and status 2."""
    _prepare()
    app.run(exit_gracefully(lambda _: _quietly(main)), flags_parser=_parse_flags)


def run_with_words(main: Callable[[list[str]], None]) -> None:
    """Do as `run`, and give `main` the words of the command that are no flags."""
    _prepare()
    app.run(exit_gracefully(lambda words: _quietly(lambda: main(words[1:]))), flags_parser=_parse)


def _prepare() -> None:
    _refuse_windows()
    open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names of files need not be UTF-8
            stream.reconfigure(errors="backslashreplace")


def host_flags(saves_on_sigterm: bool = False) -> Callable[[], contextlib.AbstractContextManager]:
    """Define the flags of a run on several hosts.

    Args:
        saves_on_sigterm: leave SIGTERM to JAX's preemption service, which only notes it.

    Returns:
        A context manager for the command's work. It joins the processes, if there are several;
        a failure of one ends all, and only the first writes to the terminal.
    """
    multihost = flags.DEFINE_bool(
        "multihost", None, "Join the processes of all hosts; by default where SLURM started many"
    )
    coordinator = flags.DEFINE_string("coordinator", None, "host:port of process 0")
    count = flags.DEFINE_integer("process_count", None, "How many processes there are")
    number = flags.DEFINE_integer("process_id", None, "Which of them this is, from 0")

    @contextlib.contextmanager
    def join():
        # Here, so that a mistyped flag is answered before JAX is imported.
        from dmcf_jax.runtime import devices, hosts

        devices.start_hosts(multihost.value, coordinator.value, count.value, number.value)
        if not saves_on_sigterm:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with hosts.ending_together():
            yield

    return join


def _refuse_windows() -> None:
    try:
        from dmcf_jax.runtime import locks  # noqa: F401
    except ImportError as error:
        _refuse(str(error))


def _quietly(main: Callable[[], None]) -> None:
    """Call `main` with compiled programs kept and libraries quiet (but for --verbosity)."""
    keep_compiled(_CACHE.value)
    if not flags.FLAGS["verbosity"].present:
        logging.set_verbosity(logging.WARNING)
    main()


def _parse(arguments: list[str]) -> list[str]:
    try:
        several = [n for n in flags.FLAGS if isinstance(flags.FLAGS[n], flags.MultiFlag)]
        # The overrides of a config are read from sys.argv.
        sys.argv[1:] = arguments[1:] = checked_words(arguments[1:], several)
        rest = flags.FLAGS(arguments)
        if "config" in flags.FLAGS:
            # A file that cannot be read is reported by its first use only; this is the first.
            list(flags.FLAGS.config)
    except UserError as error:
        _refuse(str(error))
    except MISTAKES as error:
        _refuse(sentence(error))
    return rest


def _parse_flags(arguments: list[str]) -> list[str]:
    rest = _parse(arguments)
    if len(rest) > 1:
        _refuse(f"unexpected words {rest[1:]}; flags are written --name=value")
    return rest


def _refuse(problem: str) -> None:
    print(f"error: {problem} (see --help)", file=sys.stderr)
    sys.exit(2)
