"""Exporting a run in one of the formats, and where the files go."""

from pathlib import Path

from dmcf_jax.config.build import build_model
from dmcf_jax.export.onnx import export_onnx, require_converter
from dmcf_jax.export.stablehlo import export_stablehlo
from dmcf_jax.export.torch import export_torch
from dmcf_jax.runs.load import TrainedModel, load_trained
from dmcf_jax.runtime.console import log_time

PLACES = {"stablehlo": "dmcf.stablehlo.zip", "onnx": "onnx", "torch": "torch"}


def export_run(
    workdir: str | Path,
    format: str,
    out: str | Path | None = None,
    *,
    step: int | None = None,
    best: bool = False,
) -> Path:
    """Write a run as 'stablehlo' (one file), 'onnx' or 'torch' (folders); return where it is.

    Args:
        out: by default the place of `PLACES` in `<workdir>/export`.
        step, best: which checkpoint, see `load_trained`.

    Raises:
        UserError: for a missing run or checkpoint, a format that cannot be written, and files
            that do not give back what the run gives.
    """
    if format == "onnx":
        require_converter()
    trained = load_trained(workdir, step, best)
    path = Path(out) if out else Path(workdir) / "export" / PLACES[format]
    with log_time(f"writing and verifying {path}"):
        _write(trained, format, path)
    return path


def _write(trained: TrainedModel, format: str, path: Path) -> None:
    if format == "torch":
        export_torch(trained.model, trained.variables, path)
    elif format == "onnx":
        export_onnx(trained, path)
    else:
        portable = build_model(trained.config, trained.model.identities, form="library")
        export_stablehlo(trained, path, portable)
