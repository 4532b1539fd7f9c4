"""What a program shares with the libraries it imports, and which of it our package changed.

As a program: imports all of the package, uses it in FOLDER, and prints the changes as JSON.
"""

import ast
import contextlib
import importlib
import json
import logging
import os
import pkgutil
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFile, PngImagePlugin

ROOT = Path(__file__).parents[2]
NEVER_CAUGHT = (signal.SIGKILL, signal.SIGSTOP)
OF_LIBRARIES = ("CRC32C_SW_MODE",)  # orbax sets it when it first writes


def state() -> dict[str, str]:
    """Return the settings of this process, each as text."""
    return {name: repr(value) for name, value in _settings()}


def changes(before: dict[str, str], after: dict[str, str]) -> dict[str, tuple]:
    """Return the old and the new text of every setting that differs."""
    names = sorted(before.keys() | after.keys())
    both = {name: (before.get(name), after.get(name)) for name in names}
    return {name: (old, new) for name, (old, new) in both.items() if old != new}


def _settings() -> Iterator[tuple[str, Any]]:
    yield "warnings filters", warnings.filters
    yield "showwarning", warnings.showwarning
    known = logging.Logger.manager.loggerDict.items()
    for name, logger in [("root", logging.getLogger()), *known]:
        if isinstance(logger, logging.Logger) and (logger.filters or logger.level):
            yield f"logger {name}", (logger.level, logger.filters)
    yield "logging.disable", logging.root.manager.disable
    for number in sorted(set(signal.Signals) - set(NEVER_CAUGHT)):
        yield f"signal {number.name}", signal.getsignal(number)
    yield "numpy", (np.geterr(), np.get_printoptions())
    limits = Image.MAX_IMAGE_PIXELS, PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY
    yield "Pillow", (*limits, ImageFile.LOAD_TRUNCATED_IMAGES)
    for name, value in os.environ.items():
        if name not in OF_LIBRARIES:
            yield f"${name}", value
    yield "hooks", (sys.excepthook, sys.unraisablehook, threading.excepthook, sys.displayhook)
    yield "streams", (sys.stdout, sys.stderr)
    yield "folder, path", (os.getcwd(), sys.path)
    yield "numpy.random", str(np.random.get_state())
    yield "limits", (sys.getrecursionlimit(), sys.getswitchinterval(), socket.getdefaulttimeout())
    yield from _of_libraries()


def _of_libraries() -> Iterator[tuple[str, Any]]:
    import jax
    import matplotlib
    from tensorflow_datasets.core.utils import tqdm_utils

    yield from ((f"jax {name}", value) for name, value in jax.config.values.items())
    yield "matplotlib", dict(matplotlib.rcParams)
    yield "bars of tensorflow_datasets", tqdm_utils._active


def import_what_it_imports() -> None:
    """Import all other libraries that the package imports anywhere: their doings are not ours."""
    for file in sorted((ROOT / "dmcf_jax").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                if name and not name.startswith("dmcf_jax"):
                    with contextlib.suppress(ImportError):  # an optional one
                        importlib.import_module(name)


def import_all() -> None:
    """Import every module of the package but those of commands, which define flags."""
    import dmcf_jax

    for module in pkgutil.walk_packages(dmcf_jax.__path__, "dmcf_jax."):
        if module.name.split(".")[1] not in ("cli", "configs"):
            with contextlib.suppress(ImportError):
                importlib.import_module(module.name)


def use(folder: Path) -> None:
    """Prepare, train, evaluate and search: HOG, as it compiles next to nothing."""
    from support.toys import write_people

    from dmcf_jax import evaluate, train
    from dmcf_jax.configs import own
    from dmcf_jax.data.records.prepare_own import prepare_own
    from dmcf_jax.search import SearchOptions, run_search

    write_people(folder / "people", ("ann", "bo"))
    prepare_own(folder / "people", folder / "data", split_by_identity=0.5)
    config = own.get_config("hog")
    config.data.data_dir = str(folder / "data")
    train(config, folder / "run")
    evaluate(folder / "run")
    sides = {"gallery": str(folder / "people/visible"), "query": str(folder / "people/infrared")}
    kinds = {"gallery_modality": "visible", "query_modality": "infrared"}
    page = str(folder / "page.html")
    run_search(SearchOptions(model=str(folder / "run"), **sides, **kinds, html=page))


if __name__ == "__main__":
    import_what_it_imports()
    first = state()
    import_all()
    second = state()
    use(Path(sys.argv[1]))
    print(json.dumps([changes(first, second), changes(second, state())]))
