"""Exporting a run in one of the formats, and where the files go."""

from pathlib import Path

from dmcf_jax import from_config
from dmcf_jax.errors import UserError
from dmcf_jax.export import export_stablehlo
from dmcf_jax.export_torch import export_torch
from dmcf_jax.progress import timed
from dmcf_jax.trained import load_trained


def export_run(
    workdir: str | Path,
    format: str,
    out: str | Path | None = None,
    *,
    step: int | None = None,
    best: bool = False,
) -> Path:
    """Write a run as 'stablehlo' (one file) or 'torch' (a folder) and return where it is.

    Args:
        out: by default `<workdir>/export/dmcf.stablehlo.zip` or `<workdir>/export/torch`.
        step, best: which checkpoint, see `load_trained`.

    Raises:
        UserError: for a missing run or checkpoint, a format that cannot be written, and files
            that do not give back what the run gives.
    """
    if format == "onnx":
        raise UserError(
            "ONNX is not written by this version: jax2onnx has not been held against the jax "
            "that this library needs. Use --format=stablehlo, or --format=torch and "
            "torch.onnx.export there."
        )
    trained = load_trained(workdir, step, best)
    folder = Path(workdir) / "export"
    if format == "torch":
        path = Path(out) if out else folder / "torch"
        with timed(f"writing and reading back {path}"):
            export_torch(trained.model, trained.variables, path)
        return path
    path = Path(out) if out else folder / "dmcf.stablehlo.zip"
    identities = trained.variables["params"]["heads_G1"]["classifier"]["bias"].shape[0]
    portable = from_config.build_model(trained.config, identities, form="library")
    with timed(f"writing and verifying {path}"):
        export_stablehlo(trained, path, portable)
    return path
