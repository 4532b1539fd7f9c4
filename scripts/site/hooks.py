"""What mkdocs calls while it builds the site: it adds the generated pages."""

import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

sys.path.insert(0, str(Path(__file__).parents[2]))  # where `scripts` is

from scripts.site import api, fields, flags, root_pages  # noqa: E402

# Files of this folder that pages load; mkdocs.yml names them.
OWN = ("assets/extra.css", "assets/javascripts/iframe-worker.js")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the modules' pages into the menu, below the other references."""
    (reference,) = (part["Reference"] for part in config.nav or [] if "Reference" in part)
    reference.append({"Python": api.navigation()})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages, and the style and the script of this folder."""
    for uri, text in [
        *root_pages.pages(),
        ("reference/commands.md", flags.page()),
        ("reference/fields.md", fields.page()),
        *api.pages(),
    ]:
        files.append(File.generated(config, uri, content=text))
    for uri in OWN:
        path = Path(__file__).with_name(Path(uri).name)
        files.append(File.generated(config, uri, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links to files of the root, and take out what only tests read."""
    return root_pages.for_site(markdown)
