"""Train a model, or resume from the latest checkpoint in its workdir.

dmcf train --config=regdb --workdir=runs/regdb_1
dmcf train --config=mine.py:wide --config.train.steps=2000 --workdir=runs/mine
"""

from absl import flags

from dmcf_jax.cli import app
from dmcf_jax.config.read import define_config

_CONFIG = define_config("A config's name or path, e.g. regdb, regdb:no_mtl or mine.py")
flags.mark_flag_as_required("config")
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Folder of the run; made if there is none", required=True
)
_STEP = flags.DEFINE_integer(
    "step", None, "Go back to this checkpoint; later ones are moved to WORKDIR/set_aside"
)
_joined_hosts = app.host_flags(saves_on_sigterm=True)


def main() -> None:
    """Train by the flags."""
    with _joined_hosts():
        from dmcf_jax.train import train  # here, so that a mistyped flag is answered at once

        train(_CONFIG.value, _WORKDIR.value, _STEP.value)


if __name__ == "__main__":
    app.run(main)
