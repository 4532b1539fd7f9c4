"""Check the built site: it fetches nothing from a network, and every public name has its place.

python -m scripts.site.check [FOLDER, by default build/site]
"""

import html.parser
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from scripts.site import api

SITE = api.ROOT / "build/site"
# What a browser fetches by itself: every address in these but the hyperlinks of <a>.
FETCHED = ("src", "srcset", "poster", "data", "background", "manifest", "action", "formaction")
LINKS = ("canonical", "alternate", "next", "prev", "license", "author")  # not fetched
# Parts of pages for which the theme's own scripts ask a server: diagrams, counts of stars.
ASKING = ("mermaid", "md-source")
_REMOTE = re.compile(r"^\s*(?:https?:)?//", re.I)
_IN_STYLE = re.compile(r"""(?:url\(|@import)\s*["']?\s*((?:https?:)?//[^\s"')]*)""", re.I)


class Addresses(html.parser.HTMLParser):
    """The addresses that a page fetches, and the anchors that it has."""

    def __init__(self, text: str):
        """Read a page."""
        super().__init__()
        self.remote: list[str] = []
        self.anchors: set[str] = set()
        self._style = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at the attributes of a tag."""
        self._style = tag == "style"
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values["id"]} if "id" in values else set()
        self.remote += _IN_STYLE.findall(values.get("style", ""))
        self.remote += [values[name] for name in FETCHED if _is_remote(values.get(name, ""))]
        if tag in ("link", "image", "use") and not set(values.get("rel", "").split()) & {*LINKS}:
            self.remote += [v for n, v in values.items() if "href" in n and _is_remote(v)]
        asking = set(values.get("class", "").split()) & {*ASKING}
        self.remote += [f"what class={name!r} asks a server for" for name in asking]

    def handle_data(self, data: str) -> None:
        """Look at a style sheet inside the page."""
        self.remote += _IN_STYLE.findall(data) if self._style else []


def fetches(folder: Path) -> list[str]:
    """Return a line for each address of a network that the pages and style sheets below fetch."""
    return [
        f"{path.relative_to(folder)} fetches {address}"
        for pattern in ("*.html", "*.css", "*.svg")
        for path in sorted(folder.rglob(pattern))
        for address in _remote(path)
    ]


def missing_names(folder: Path) -> Iterator[str]:
    """Yield a line for each public name of the package that is not on the page of its module."""
    for module in api.modules():
        page = folder / Path(api.uri(module)).with_suffix(".html")
        anchors = Addresses(page.read_text()).anchors if page.exists() else set()
        for name in (module, *api.names(module)):
            if name not in anchors:
                yield f"{page.relative_to(folder)} lacks {name}"


def _remote(path: Path) -> list[str]:
    text = path.read_text()
    return _IN_STYLE.findall(text) if path.suffix == ".css" else Addresses(text).remote


def _is_remote(value: str) -> bool:
    # srcset is a list of addresses, each followed by a size.
    return any(_REMOTE.match(part) for part in value.split(","))


def main(folder: Path) -> int:
    """Print what is wrong with the site in `folder`; return the number of problems."""
    pages = sum(1 for _ in folder.rglob("*.html"))
    problems = [*fetches(folder), *missing_names(folder)] if pages else [f"no page in {folder}"]
    names = sum(len(api.names(module)) for module in api.modules())
    print("\n".join(problems) or f"{pages} pages fetch nothing, {names} public names are there")
    return len(problems)


if __name__ == "__main__":
    sys.exit(min(main(Path(sys.argv[1]) if sys.argv[1:] else SITE), 1))
