"""The documentation's pages and their fenced blocks."""

import dataclasses
import re
from pathlib import Path

from support.commands import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
_FENCE = re.compile(r"(?:^<!-- (.+?) -->\n)?^```(.*)\n((?:.*\n)*?)^```$", re.M)


@dataclasses.dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        page: relative to the root.
        line: of its fence.
        mark: the comment in the line above, '' without one.
    """

    page: str
    line: int
    language: str
    text: str
    mark: str

    def __str__(self):
        return f"{self.page}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page."""
    text, name = page.read_text(), page.relative_to(ROOT).as_posix()
    return [
        Block(name, text.count("\n", 0, found.start(2)) + 1, found[2], found[3], found[1] or "")
        for found in _FENCE.finditer(text)
    ]
