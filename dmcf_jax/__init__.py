"""Visible-infrared person re-identification with DMCF (IEEE Access 2020) in JAX."""

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dmcf_jax.evaluate import evaluate
    from dmcf_jax.retrieval.model import load_model
    from dmcf_jax.retrieval.top_k import rank
    from dmcf_jax.train import train

__version__ = "0.1.0"
__all__ = ["evaluate", "load_model", "rank", "train"]

# Modules that are imported when the name is first used: JAX takes seconds to import.
_HOMES = {
    "evaluate": "dmcf_jax.evaluate",
    "load_model": "dmcf_jax.retrieval.model",
    "rank": "dmcf_jax.retrieval.top_k",
    "train": "dmcf_jax.train",
}


def __getattr__(name: str) -> Any:
    """Return a public function, importing its module."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """Return the names of this module, those included that are not imported yet."""
    return sorted({*globals(), *__all__})


class _Package(ModuleType):
    """Keeps `dmcf_jax.train` the function, which Python would replace by the module `train`."""

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute, except a public function's name to a module."""
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
