"""dmcf_jax's training step and embedding beside the same work in plain PyTorch, timed in turns.

    python benchmarks/torch_reference.py --config=regdb --config.data.size='(144, 72)' \
        --config.sampler.P=4 --config.sampler.K=2

It needs the `torch` extra; nothing else uses it. PyTorch runs channels-last; on a GPU with
`torch.compile` and, for bfloat16, autocast. Both sides get uint8 images: dmcf_jax
draws, augments and normalises inside the step; PyTorch only normalises, which favours PyTorch.
"""

import json
import math
import os
import statistics
import sys

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # PyTorch needs memory too

import torch
from absl import flags

from benchmarks.torch_turns import compare, started
from dmcf_jax.cli import app
from dmcf_jax.config.read import define_config

_WHAT = flags.DEFINE_enum("what", "train_step", ["train_step", "embed"], "What to time")
_REPEATS = flags.DEFINE_integer("repeats", 7, "Timed repetitions of each side")
_ROUNDS = flags.DEFINE_integer("rounds", 1, "Calls in one repetition; more for a fast device")
_CONFIG = define_config("Network and batch", default="regdb")


def make_ours(what, config):
    """Return a function that does the work once, and how many images it sees."""
    from benchmarks import embed, train_step

    if what == "embed":
        return embed.make_embed(config)
    return train_step.make_step(config), 2 * config.sampler.P * config.sampler.K


def main() -> None:
    """Time both sides and print one JSON object."""
    import jax

    config, what = _CONFIG.value, _WHAT.value
    ours, images = make_ours(what, config)
    with started(what, config) as theirs:
        seconds, torch_seconds = compare(ours, theirs, _REPEATS.value, _ROUNDS.value)
    if any(map(math.isnan, torch_seconds)):
        sys.exit("error: PyTorch failed, see above; there is nothing to compare with")
    median, torch_median = statistics.median(seconds), statistics.median(torch_seconds)
    report = {
        "what": f"{what} against PyTorch",
        "seconds": median,
        "torch_seconds": torch_median,
        "ratio": median / torch_median,
        "all_seconds": seconds,
        "all_torch_seconds": torch_seconds,
        "images_per_second": images / median,
        "torch_images_per_second": images / torch_median,
        "images": images,
        "size": list(config.data.size),
        "dtype": config.dtype,
        "device": jax.devices()[0].device_kind,
        "torch_threads": torch.get_num_threads(),
        "versions": {"jax": jax.__version__, "torch": torch.__version__},
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    app.run(main)
