"""Export a trained model: StableHLO, ONNX, PyTorch weights, or a folder for the hub.

dmcf export --workdir=runs/regdb --format=stablehlo
dmcf export --workdir=runs/regdb --format=torch --out=exported
dmcf export --workdir=runs/regdb --format=onnx
dmcf export --workdir=runs/regdb --format=hub --push=owner/name

What ONNX needs is in docs/export.md.
"""

from absl import flags

from dmcf_jax.cli import app

_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run", required=True)
_FORMAT = flags.DEFINE_enum(
    "format", "stablehlo", ["stablehlo", "onnx", "torch", "hub"], "What to write"
)
_OUT = flags.DEFINE_string("out", None, "File (stablehlo) or folder (others); default in workdir")
_STEP = flags.DEFINE_integer("step", None, "Checkpoint; by default the last")
_BEST = flags.DEFINE_bool("best", False, "Take the checkpoint that train.keep_best kept")
_PUSH = flags.DEFINE_string("push", None, "owner/name on the Hugging Face hub to upload to")
_PUBLIC = flags.DEFINE_bool("public", False, "All may see what is uploaded; by default only you")
_LICENSE = flags.DEFINE_string(
    "license", None, "Of the weights, such as cc-by-nc-4.0; by default apache-2.0 if synthetic"
)


def main() -> None:
    """Export by the flags."""
    if _FORMAT.value == "hub":
        print(_share())
        return
    from dmcf_jax.export.hub.share import refuse_hub_flags
    from dmcf_jax.export.run import export_run

    given = {"push": _PUSH.value, "public": _PUBLIC.value, "license": _LICENSE.value}
    refuse_hub_flags(_FORMAT.value, given)
    print(export_run(_WORKDIR.value, _FORMAT.value, _OUT.value, step=_STEP.value, best=_BEST.value))


def _share():
    from dmcf_jax.export.hub.share import share_run

    return share_run(
        _WORKDIR.value,
        _OUT.value,
        step=_STEP.value,
        best=_BEST.value,
        licence=_LICENSE.value,
        repository=_PUSH.value,
        public=_PUBLIC.value,
    )


if __name__ == "__main__":
    app.run(main)
