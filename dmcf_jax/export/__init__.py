"""Export a run for other programs: StableHLO, PyTorch and, optionally, ONNX.

Each format is one function `export_<format>(trained, path)`, which reads back what it wrote and
raises a `UserError` if the file does not reproduce the run.
"""

from typing import Any


def __getattr__(name: str) -> Any:
    """Return `load_exported`, whose old place this is."""
    if name != "load_exported":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from dmcf_jax.export.stablehlo import load_exported

    return load_exported
