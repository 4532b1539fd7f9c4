"""PyTorch's side of a comparison in a process of its own, as PyTorch runs where nothing else does.

`benchmarks/torch_turns.py` calls it.
"""

import torch

from benchmarks.torch_dmcf import DMCF, FEATURES, make_adam, pool, train_step

IDENTITIES = 64
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def make(what, config):
    """Return a function that does the work of 'train_step' or 'embed' once, and the device."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    return (make_train_step if what == "train_step" else make_embed)(config, device), device


def wait_for(device):
    """Return when the device has done all that was started."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


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
    """Return a function that starts one training step and returns its loss."""
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
        return train_step(mixed, adam, visible, infrared, labels)

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
