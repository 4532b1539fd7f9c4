"""PyTorch's side of a comparison in a process of its own, as PyTorch runs where nothing else does.

So neither side has the other's heap and threads.
"""

import contextlib
import multiprocessing
import time

import torch
from torch_dmcf import DMCF, FEATURES, make_adam, pool, train_step

IDENTITIES = 64
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@contextlib.contextmanager
def started(what, config):
    """Yield a function that works `rounds` times in another process and returns its seconds.

    Args:
        what: 'train_step' or 'embed'.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    arguments = (theirs, what, config.to_dict())
    process = context.Process(target=_serve, args=arguments, daemon=True)
    process.start()
    theirs.close()  # so that the end of the process is seen

    def seconds(rounds):
        ours.send(rounds)
        return ours.recv()

    yield seconds
    ours.send(None)
    process.join()


def _serve(pipe, what, config):
    from ml_collections import ConfigDict

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    make = make_train_step if what == "train_step" else make_embed
    call = make(ConfigDict(config), device)
    while (rounds := pipe.recv()) is not None:
        start = time.perf_counter()
        for _ in range(rounds):
            call()
        pipe.send(time.perf_counter() - start)


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


def make_train_step(config, device):
    """Return a function that takes one training step and waits for its loss."""
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
        return float(train_step(mixed, adam, visible, infrared, labels))

    return step


def make_embed(config, device):
    """Return a function that embeds as many images as ours."""
    from benchmarks.embed import BATCHES

    model = make_model(config, device).eval()
    shape = (config.evaluation.batch_size, 3, *config.data.size)
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
    return lambda: [embed_with(stream) for stream in streams for _ in range(BATCHES)]
