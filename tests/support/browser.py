"""HTML pages taken apart, and shown by Chromium where it is installed."""

import html.parser
import shutil
import subprocess
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --hide-scrollbars "
    "--disable-background-networking --disable-component-update --disable-sync"
)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")


class Page(html.parser.HTMLParser):
    """The tags, attributes and text of a page."""

    def __init__(self, text: str):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list) -> None:
        """Remember a tag."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Remember a piece of text."""
        self.texts.append(data)

    def all(self, tag: str) -> list[dict]:
        """Return the attributes of every `tag`."""
        return [attributes for name, attributes in self.tags if name == tag]


def chromium(folder: Path, *words: str) -> str:
    """Run Chromium with a profile in `folder`; return its output."""
    command = [CHROMIUM, *FLAGS.split(), f"--user-data-dir={folder}/profile", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
