"""Mistakes of the user, told in sentences instead of tracebacks."""

import errno
import sys
from collections.abc import Callable, Sequence

# What a disk says that is full, worn out, read-only or gone: no fault of a program.
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


class UserError(Exception):
    """A mistake that the user can mend: names the value, what was expected and the way out.

    Commands print the message and exit with status 2. Everything else that is raised is a
    fault of ours and keeps its traceback.
    """

    @classmethod
    def listing(cls, title: str, problems: Sequence[str], cure: str | None = None) -> "UserError":
        """Return one error that names all `problems` at once, a line each, and the `cure`."""
        lines = [title, *(f"  - {problem}" for problem in problems)]
        return cls("\n".join(lines + ([cure] if cure else [])))


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
    return f"{where} {why}: look at its disk, its room and its permissions"
