"""Mistakes of the user, told in sentences instead of tracebacks."""

import sys
from collections.abc import Callable, Sequence


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
    """Wrap a command's `main`: a `UserError` becomes `error: ...` on stderr and status 2."""

    def wrapped(*args, **kwargs):
        try:
            return main(*args, **kwargs)
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            sys.exit(2)

    return wrapped
