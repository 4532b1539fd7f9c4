"""Our training step and embedding beside the same work in plain PyTorch, timed in turns.

    python benchmarks/torch_reference.py --config=configs/regdb.py --config.data.size='(144, 72)' \
        --config.sampler.P=4 --config.sampler.K=2

It needs the `torch` extra; nothing else uses it. PyTorch runs channels-last; on a GPU with
`torch.compile` and, for bfloat16, autocast. Both sides get uint8 images: ours draws, augments and
normalises inside the step, PyTorch normalises only, which favours PyTorch.
"""

import json
import os
import statistics

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # PyTorch needs memory too

import torch
from absl import flags
from ml_collections import config_flags
from torch_dmcf import DMCF, FEATURES, make_adam, pool, train_step

from dmcf_jax import command_line

_WHAT = flags.DEFINE_enum("what", "train_step", ["train_step", "embed"], "What to time")
_REPEATS = flags.DEFINE_integer("repeats", 7, "Timed repetitions of each side")
_ROUNDS = flags.DEFINE_integer("rounds", 1, "Calls in one repetition; more for a fast device")
_CONFIG = config_flags.DEFINE_config_file("config", "configs/regdb.py", "Network and batch")
IDENTITIES = 64
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def normalise(images):
    """Return float images NCHW (channels last in memory) of uint8 ones."""
    mean = torch.tensor(MEAN, device=images.device).view(1, 3, 1, 1)
    deviation = torch.tensor(DEVIATION, device=images.device).view(1, 3, 1, 1)
    scaled = (images.float() / 255.0 - mean) / deviation
    return scaled.contiguous(memory_format=torch.channels_last)


def autocast(config, device):
    """Return the context that computes in the config's dtype."""
    return torch.autocast(device.type, torch.bfloat16, enabled=config.dtype == "bfloat16")


def make_model(config, device):
    """Return the network of `config` in PyTorch."""
    model = config.model
    network = DMCF(
        IDENTITIES, tuple(model.stage_sizes), model.width, model.last_stride, model.embedding_dim
    )
    return network.to(device).to(memory_format=torch.channels_last)


def make_torch_step(config, device):
    """Return a function that takes one training step and how many images it sees."""
    model = make_model(config, device).train()
    adam = make_adam(model)
    adam = torch.optim.Adam(adam.param_groups, fused=device.type == "cuda")
    P, K = config.sampler.P, config.sampler.K
    shape = (P * K, 3, *config.data.size)
    images = [torch.randint(0, 256, shape, dtype=torch.uint8, device=device) for _ in range(2)]
    labels = torch.arange(P, device=device).repeat_interleave(K)
    forward = torch.compile(model) if device.type == "cuda" else model

    class Mixed:
        """The network under autocast; losses outside of it, in float32."""

        log_variance = model.log_variance

        def __call__(self, visible, infrared):
            with autocast(config, device):
                embeddings, logits = forward(visible, infrared)
            return tuple({n: v.float() for n, v in d.items()} for d in (embeddings, logits))

    mixed = Mixed()

    def step():
        visible, infrared = (normalise(part) for part in images)
        loss = train_step(mixed, adam, visible, infrared, labels)
        return float(loss)  # waits

    return step, 2 * P * K


def make_torch_embed(config, device):
    """Return a function that embeds as many images as ours, and their number."""
    from dmcf_jax.benchmarks.embed import BATCHES

    model = make_model(config, device).eval()
    batch = config.evaluation.batch_size
    shape = (batch, 3, *config.data.size)
    images = torch.randint(0, 256, shape, dtype=torch.uint8)

    def embed_with(stream):
        with torch.no_grad(), autocast(config, device):
            maps = stream(normalise(images.to(device)))
            parts = [
                model.heads[name].reduction(pool(maps[stage], stripe, stripes))
                for name, stage, stripe, stripes in FEATURES
            ]
            return torch.nn.functional.normalize(torch.cat(parts, 1).float()).cpu().numpy()

    streams = (model.visible, model.infrared)
    if device.type == "cuda":
        streams = [torch.compile(stream) for stream in streams]

    def embed():
        return [embed_with(stream) for stream in streams for _ in range(BATCHES)]

    return embed, 2 * BATCHES * batch


def compare(ours, theirs, repeats, rounds):
    """Return the seconds of both, one repetition each in turn, after two unmeasured ones."""
    from dmcf_jax.benchmarks.measure import seconds_of

    def several(call):
        return lambda: [call() for _ in range(rounds)]

    found = ([], [])
    for number in range(repeats + 2):
        for call, seconds in zip((ours, theirs), found, strict=True):
            one = seconds_of(several(call), 1, warm_up=0)
            if number >= 2:
                seconds.append(one[0] / rounds)
    return found


def main() -> None:
    """Time both sides and print one JSON object."""
    import jax

    from dmcf_jax.benchmarks import embed, train_step

    config = _CONFIG.value
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    if _WHAT.value == "train_step":
        ours = train_step.make_step(config)
        theirs, images = make_torch_step(config, device)
    else:
        ours, _ = embed.make_embed(config)
        theirs, images = make_torch_embed(config, device)
    seconds, torch_seconds = compare(ours, theirs, _REPEATS.value, _ROUNDS.value)
    median, torch_median = statistics.median(seconds), statistics.median(torch_seconds)
    report = {
        "what": f"{_WHAT.value} against PyTorch",
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
    command_line.run(main)
