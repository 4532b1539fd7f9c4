"""A process of `tests/runtime/test_two_processes.py`.

python tests/support/host_process.py DATA WORKDIR PORT ID    one of two that train together;
    process 1 dies without a word after step 5, when the checkpoint of step 4 is complete
python tests/support/host_process.py DATA WORKDIR WORKDIR    one that trains alone, in each folder
"""

import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script

from support import tiny  # noqa: E402
from support.tiny import ONE_LEVEL  # noqa: E402

# Heads without batch norm: it would make the gradient of the bias before it zero but for rounding,
# and Adam makes full steps of rounding.
CHANGES = ONE_LEVEL | {
    "data.placement": "host",
    "model.shared_from": "stem",
    "model.reduce_global": False,
    "optim.lr_backbone": 1e-4,
    "optim.lr_heads": 1e-4,
    "optim.lr_log_variance": 1e-4,
}


def dying_after_step_5(workdir):
    """Return what ends this process after step 5 like one whose machine lost power."""

    def die(step, state):
        if step == 5:
            while not Path(workdir, "checkpoints/4").is_dir():  # until it is complete
                time.sleep(0.05)
            os.kill(os.getpid(), signal.SIGKILL)

    return die


def train_with_another(data_dir, workdir, port, process):
    """Join the other process and train."""
    from dmcf_jax.runtime import devices as mesh
    from dmcf_jax.runtime import hosts

    mesh.start_hosts(None, f"127.0.0.1:{port}", 2, int(process))
    with hosts.ending_together():
        from dmcf_jax.train import train

        on_step = dying_after_step_5(workdir) if process == "1" else None
        train(tiny.config(CHANGES | {"data.data_dir": data_dir}), workdir, on_step=on_step)


def train_alone(data_dir, *workdirs):
    """Train in each folder, from its latest checkpoint on."""
    from dmcf_jax.train import train

    for workdir in workdirs:
        train(tiny.config(CHANGES | {"data.data_dir": data_dir}), workdir)


if __name__ == "__main__":
    (train_with_another if len(sys.argv) == 5 else train_alone)(*sys.argv[1:])
