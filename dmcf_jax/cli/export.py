"""Export a trained model as StableHLO, as ONNX, or as weights for PyTorch.

dmcf export --workdir=runs/regdb --format=stablehlo
dmcf export --workdir=runs/regdb --format=torch --out=exported
dmcf export --workdir=runs/regdb --format=onnx

What ONNX needs is in docs/export.md.
"""

from absl import flags

from dmcf_jax.cli import app

_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run", required=True)
_FORMAT = flags.DEFINE_enum("format", "stablehlo", ["stablehlo", "onnx", "torch"], "What to write")
_OUT = flags.DEFINE_string("out", None, "File (stablehlo) or folder (others); default in workdir")
_STEP = flags.DEFINE_integer("step", None, "Checkpoint; by default the last")
_BEST = flags.DEFINE_bool("best", False, "Take the checkpoint that train.keep_best kept")


def main() -> None:
    """Export by the flags."""
    from dmcf_jax.export.run import export_run

    print(export_run(_WORKDIR.value, _FORMAT.value, _OUT.value, step=_STEP.value, best=_BEST.value))


if __name__ == "__main__":
    app.run(main)
