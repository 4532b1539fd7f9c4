"""Train DMCF, or continue where the workdir stands.

python scripts/train.py --config=configs/regdb.py --workdir=runs/regdb_1
"""

from absl import flags
from ml_collections import config_flags

from dmcf_jax.cli import app as command_line

_CONFIG = config_flags.DEFINE_config_file("config", None, "Config file, e.g. configs/regdb.py")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run; made if there is none")
_STEP = flags.DEFINE_integer(
    "step", None, "Go back to this checkpoint; later ones are moved to WORKDIR/set_aside"
)
flags.mark_flags_as_required(["config", "workdir"])
_joined_hosts = command_line.host_flags(saves_on_sigterm=True)


def main() -> None:
    """Train by the flags."""
    with _joined_hosts():
        from dmcf_jax.train import train  # here, so that a mistyped flag is answered at once

        train(_CONFIG.value, _WORKDIR.value, _STEP.value)


if __name__ == "__main__":
    command_line.run(main)
