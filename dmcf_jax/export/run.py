"""Export a run in one of the formats: what the `export` command calls."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from dmcf_jax.config.validate import flatten
from dmcf_jax.errors import Problem, UserError
from dmcf_jax.export.onnx import export_onnx, require_converter
from dmcf_jax.export.stablehlo import export_stablehlo
from dmcf_jax.export.torch import export_torch
from dmcf_jax.methods import METHODS
from dmcf_jax.runs.load import TrainedModel, load_trained
from dmcf_jax.runtime.console import log_time


class ExportFormat(NamedTuple):
    """How to write a run.

    Attributes:
        default_name: of the file or folder, in `<workdir>/export`.
        write: takes the run and the path, and verifies what it wrote.
    """

    default_name: str
    write: Callable[[TrainedModel, Path], None]


FORMATS = {
    "stablehlo": ExportFormat("dmcf.stablehlo.zip", export_stablehlo),
    "onnx": ExportFormat("onnx", export_onnx),
    "torch": ExportFormat("torch", export_torch),
}


def export_run(
    workdir: str | Path,
    export_format: str,
    out: str | Path | None = None,
    *,
    step: int | None = None,
    best: bool = False,
) -> Path:
    """Write a run and return the path of the file (stablehlo) or folder (onnx, torch).

    Args:
        export_format: a key of `FORMATS`.
        out: where to write; by default `<workdir>/export/<default_name>`.
        step, best: which checkpoint, see `load_trained`.

    Raises:
        UserError: there is no run or no such checkpoint, the format's packages are missing, the
            format cannot hold the run's network, or the export does not reproduce the run.
    """
    chosen = FORMATS[export_format]
    if export_format == "onnx":
        require_converter()
    trained = load_trained(workdir, step, best)
    _refuse_others(trained, export_format)
    path = Path(out) if out else Path(workdir) / "export" / chosen.default_name
    with log_time(f"writing and verifying {path}"):
        chosen.write(trained, path)
    return path


def _refuse_others(trained: TrainedModel, export_format: str) -> None:
    """Refuse a network that a format cannot hold: any is written as StableHLO."""
    config = trained.config
    if export_format == "onnx" and METHODS[config.method.name].trained is None:
        raise UserError(
            f"--format=onnx holds networks, and {config.method.name} is none; use "
            "--format=stablehlo",
            about="--format",
        )
    expected = {"method.name": "dmcf", "model.non_local": [0, 0, 0, 0]} | {
        f"model.{name}": value
        for name, value in (
            ("backbone", "resnet"),
            ("pool", "max"),
            ("head", "reduction"),
            ("input", "three"),
        )
    }
    fields = flatten(config)
    problems = [
        Problem(name, f"{name} is {fields[name]!r}, expected {value!r}")
        for name, value in expected.items()
        if fields.get(name, value) != value
    ]
    if export_format == "torch" and problems:
        raise UserError.listing(
            "--format=torch holds the layers of DMCF only:", problems, "Use --format=stablehlo."
        )
