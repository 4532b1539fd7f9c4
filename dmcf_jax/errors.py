"""Mistakes of the user, reported in sentences instead of tracebacks."""

import dataclasses
import errno
import importlib.metadata
import os
import sys
import traceback
from collections.abc import Callable, Sequence

# What a disk reports that is full, worn out, read-only or gone: no fault of a program.
DISK_TROUBLE = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EIO,
    errno.ESTALE,
    errno.ENODEV,
    errno.EACCES,
    errno.EPERM,
)


@dataclasses.dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        about: the config field, flag, file or name that is wrong; '' where there is no one.
        text: the sentence that a user reads.
    """

    about: str
    text: str

    def __str__(self) -> str:
        """Return the sentence."""
        return self.text


class UserError(Exception):
    """A mistake that the user can correct: names the value, what was expected and the way out.

    Commands print the message and exit with status 2. Everything else that is raised is a
    bug of dmcf_jax and keeps its traceback.

    Attributes:
        problems: everything that is wrong, for programs and tests, which read no sentences.
    """

    def __init__(self, message: str, problems: Sequence[Problem] = (), *, about: str = ""):
        """Keep the message for the user.

        Args:
            problems: all of them; by default one, the message itself.
            about: what that one is about.
        """
        super().__init__(message)
        self.problems = tuple(problems) or (Problem(about, message),)

    @property
    def about(self) -> tuple[str, ...]:
        """Return what each problem is about, in order."""
        return tuple(problem.about for problem in self.problems)

    @classmethod
    def listing(
        cls,
        title: str,
        problems: Sequence[Problem | str],
        cure: str | None = None,
        at_most: int | None = None,
    ) -> "UserError":
        """Return one error that names all `problems` at once, a line each, and the `cure`.

        Args:
            problems: a plain string is a problem about '' (see `Problem.about`).
            at_most: how many to print; the message counts the others.
        """
        every = [p if isinstance(p, Problem) else Problem("", p) for p in problems]
        lines = [title, *(f"  - {line}" for line in shorten(every, at_most))]
        return cls("\n".join(lines + ([cure] if cure else [])), every)


def shorten(lines: Sequence[object], at_most: int | None) -> list[str]:
    """Return the first `at_most` lines as text, and one more that counts the rest if any."""
    texts = [str(line) for line in lines]
    if at_most is None or len(texts) <= at_most + 1:
        return texts
    return [*texts[:at_most], f"... and {len(texts) - at_most} more like this"]


def exit_gracefully(main: Callable[..., None]) -> Callable[..., None]:
    """Wrap a command's `main`: a `UserError` becomes `error: ...` on stderr and status 2.

    So does an `OSError` of a disk in trouble, memory that is full and a backend that JAX has not.
    Ctrl-C ends with status 130 and no traceback, a closed pipe (`| head`) with 0 and no word.
    """

    def wrapped(*args, **kwargs):
        try:
            result = main(*args, **kwargs)
            sys.stdout.flush()  # here, where a closed pipe is still answered
            return result
        except BrokenPipeError:
            _end_quietly()
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            sys.exit(2)
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            sys.exit(130)
        except OSError as error:
            if error.errno not in DISK_TROUBLE:
                raise
            print(f"error: {_disk_sentence(error)}", file=sys.stderr)
            sys.exit(2)
        except (RuntimeError, MemoryError, AssertionError) as error:
            text = out_of_memory(error) or missing_backend(error)
            if text is None:
                raise
            print(f"error: {text}", file=sys.stderr)
            sys.exit(2)

    return wrapped


def _end_quietly() -> None:
    """Exit after the reader of a pipe has left: Python's last flush would complain of it."""
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    sys.exit(0)


def out_of_memory(error: BaseException) -> str | None:
    """Return what to lower where memory was full, None for any other error."""
    if not isinstance(error, MemoryError) and "RESOURCE_EXHAUSTED" not in str(error):
        return None
    reason = str(error).strip().partition("\n")[0][:200] or "of this process"
    return (
        f"out of memory: {reason}\nTo train, lower --config.sampler.P or --config.sampler.K, or "
        "set --config.model.remat=True, --config.dtype=bfloat16 or --config.data.placement=host; "
        "to evaluate, lower evaluation.batch_size. See also what else uses this device."
    )


def missing_backend(error: BaseException) -> str | None:
    """Return which backend JAX was asked for and has not, None for any other error."""
    asked = os.environ.get("JAX_PLATFORMS", "")
    files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    if not asked or not any(os.path.basename(file) == "xla_bridge.py" for file in files):
        return None
    names = [entry.metadata["Name"] or "" for entry in importlib.metadata.distributions()]
    plugins = sorted({name for name in names if name.startswith("jax-") and "plugin" in name})
    reason = str(error).strip().partition("\n")[0]
    return (
        f"JAX_PLATFORMS={asked}, but JAX cannot use that here{': ' * bool(reason)}{reason}. It has "
        f"{', '.join(['cpu', *plugins])}: unset JAX_PLATFORMS, set it to cpu, or install JAX for "
        'this device (pip install "jax[cuda13]" for an NVIDIA GPU)'
    )


def _disk_sentence(error: OSError) -> str:
    where = error.filename or "a file"
    why = f"cannot be read or written ({error.strerror})"
    return f"{where} {why}: check its disk, the free space and its permissions"
