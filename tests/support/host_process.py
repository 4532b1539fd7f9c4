"""A process of `tests/runtime/test_two_processes.py`.

python tests/support/host_process.py DATA WORKDIR PORT ID    one of two that train together;
    process 1 dies without a word after step 5, when the checkpoint of step 4 is whole
python tests/support/host_process.py DATA WORKDIR WORKDIR    one that trains alone, in each folder
"""

import os
import signal
import sys

from dmcf_jax.configs import synthetic

# Heads without batch norm: it would make the gradient of the bias before it zero but for rounding,
# and Adam makes whole steps of rounding.
CONFIG = {
    "data.size": (32, 32),
    "data.pad": 2,
    "data.placement": "host",
    "model.shared_from": "stem",
    "model.levels": ("layer1",),
    "model.stripes": (1,),
    "model.reduce_global": False,
    "model.width": 4,
    "sampler.P": 4,
    "sampler.K": 2,
    "loss.triplet_start_step": 0,
    "optim.lr_backbone": 1e-4,
    "optim.lr_heads": 1e-4,
    "optim.lr_log_variance": 1e-4,
    "train.steps": 8,
    "train.checkpoint_every": 4,
    "train.log_every": 1,
}


def config_of(data_dir):
    """Return the config of all these processes."""
    config = synthetic.get_config()
    config.update_from_flattened_dict(CONFIG | {"data.data_dir": data_dir})
    return config


def die_after_step_5():
    """Let the loop of this process end like one whose machine lost power."""
    from dmcf_jax.training.loop import Loop

    after_step = Loop._after_step

    def dying(self, step, state):
        after_step(self, step, state)
        if step == 4:
            self._run.checkpoints.wait()
        if step == 5:
            os.kill(os.getpid(), signal.SIGKILL)

    Loop._after_step = dying


def train_with_another(data_dir, workdir, port, process):
    """Join the other process and train."""
    from dmcf_jax.runtime import devices as mesh
    from dmcf_jax.runtime import hosts

    mesh.start_hosts(None, f"127.0.0.1:{port}", 2, int(process))
    with hosts.ending_together():
        from dmcf_jax.train import train

        if process == "1":
            die_after_step_5()
        train(config_of(data_dir), workdir)


def train_alone(data_dir, *workdirs):
    """Train in each folder, from where it stands."""
    from dmcf_jax.train import train

    for workdir in workdirs:
        train(config_of(data_dir), workdir)


if __name__ == "__main__":
    (train_with_another if len(sys.argv) == 5 else train_alone)(*sys.argv[1:])
