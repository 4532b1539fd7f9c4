"""Tables as Markdown, which terminals, files and pages of code hosts show."""

from collections.abc import Sequence


def pipe_table(lines: Sequence[Sequence[str]]) -> str:
    """Return a table.

    Args:
        lines: cells of the header, of the line below it (':--' or '--:'), and of each row; a pipe
            in a cell must be escaped.
    """
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
