"""Mistakes of the user, reported in sentences instead of tracebacks."""

import dataclasses
import errno
import sys
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

    So does an `OSError` of a disk in trouble; Ctrl-C ends with status 130 and no traceback.
    """

    def wrapped(*args, **kwargs):
        try:
            return main(*args, **kwargs)
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

    return wrapped


def _disk_sentence(error: OSError) -> str:
    where = error.filename or "a file"
    why = f"cannot be read or written ({error.strerror})"
    return f"{where} {why}: check its disk, the free space and its permissions"
