"""Files of the repository's root as pages of the site: what GitHub shows, the site shows too."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changes.md",
    "CITATION.cff": "CITATION.cff",
}
_LINK = re.compile(r"\]\((?P<path>[^)#\s:]+)(?P<anchor>#[^)\s]*)?\)")
_MARK = re.compile(r"^<!--.*?-->\n", re.M)  # what a test needs to know of the block below


def pages() -> Iterator[tuple[str, str]]:
    """Yield (uri, text) of every such file; links of a Markdown file lead to the site's pages."""
    for name, uri in PAGES.items():
        text = (ROOT / name).read_text()
        yield uri, _relinked(text, _from_root) if name.endswith(".md") else text


def for_site(text: str) -> str:
    """Return a page of docs/ with its links to files of the root as the site has them."""
    return _MARK.sub("", _relinked(text, _from_docs))


def _relinked(text: str, target: Callable[[str], str]) -> str:
    def replaced(found: re.Match) -> str:
        return f"]({target(found['path'])}{found['anchor'] or ''})"

    return _LINK.sub(replaced, text)


def _from_root(link: str) -> str:
    return PAGES.get(link, link.removeprefix("docs/"))


def _from_docs(link: str) -> str:
    return PAGES.get(link.removeprefix("../"), link) if link.startswith("../") else link
