"""An extension of griffe, which reads the docstrings: it fences the examples of the commands."""

import sys
from pathlib import Path
from typing import Any

import griffe

sys.path.insert(0, str(Path(__file__).parents[2]))  # where `scripts` is

from scripts.site.examples import fenced  # noqa: E402


class Examples(griffe.Extension):
    """Called by griffe for each module."""

    def on_module(self, *, mod: griffe.Module, **options: Any) -> None:
        """Fence the examples in the docstring of a module."""
        if mod.docstring:
            mod.docstring.value = fenced(mod.docstring.value)
