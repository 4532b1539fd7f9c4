"""Make the golden tensors of tests/golden with PyTorch (needs the `torch` extra).

python scripts/make_golden.py
"""

import sys
from pathlib import Path

import numpy as np
import torch
from torch.optim import swa_utils

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from support import golden_network as network  # noqa: E402

from benchmarks import (  # noqa: E402
    torch_agw,
    torch_alexnet,
    torch_dmcf,
    torch_single_level,
    torch_translation,
)

SIZES = {"stage_sizes": network.STAGE_SIZES, "width": network.WIDTH}


def fill(module: torch.nn.Module) -> torch.nn.Module:
    """Give every tensor of `module` the value that belongs to its name."""
    values = {
        name: value if name.endswith("num_batches_tracked") else _value(name, value)
        for name, value in module.state_dict().items()
    }
    module.load_state_dict(values)
    return module


def _value(name, like):
    return torch.from_numpy(network.tensor(name, tuple(like.shape)))


def batch(number: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the pairs of step `number`: visible, infrared (NCHW) and labels."""
    pair = [
        torch.from_numpy(network.normalise(network.images(f"{kind} {number}", len(network.LABELS))))
        for kind in ("visible", "infrared")
    ]
    return *(images.permute(0, 3, 1, 2) for images in pair), torch.tensor(network.LABELS)


def activations() -> dict[str, np.ndarray]:
    """Return every part's output of one ResNet, in evaluation and in training mode."""
    visible, _, _ = batch(0)
    resnet = fill(torch_dmcf.ResNet(**SIZES))
    found = {}
    for mode in (False, True):
        with torch.no_grad():
            outputs = resnet.train(mode)(visible[:3])
        found |= {f"{'train' if mode else 'eval'}/{part}": x for part, x in outputs.items()}
    return as_arrays(found)


def gradients() -> dict[str, np.ndarray]:
    """Return the losses of one batch and the gradient of eq. 15 by parameter."""
    model = make_dmcf()
    visible, infrared, labels = batch(0)
    found = torch_dmcf.losses(
        *model(visible, infrared), torch.cat([labels, labels]), network.MARGIN
    )
    torch_dmcf.total_loss(found, model.log_variance, True).backward()
    losses = {f"loss/L{i}": value.detach() for i, (_, value) in enumerate(found, start=1)}
    return as_arrays(losses | {name: value.grad for name, value in model.named_parameters()})


def five_steps() -> dict[str, np.ndarray]:
    """Return the losses, all tensors after the steps and each norm's values for a channel."""
    model = make_dmcf()
    adam = torch_dmcf.make_adam(model, *network.RATES.values())
    counts: dict[str, torch.Tensor] = {}
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            module.register_forward_hook(_count_values(counts, name))
    losses = {}
    for step in range(network.STEPS):
        weighted = step >= network.WEIGHTING_STARTS_AT
        loss = torch_dmcf.train_step(model, adam, *batch(step), network.MARGIN, weighted)
        losses[f"loss/{step}"] = loss
    tensors = {k: v for k, v in model.state_dict().items() if "num_batches" not in k}
    return as_arrays(tensors | counts | losses)


def _count_values(counts, name):
    def note(module, inputs, output):
        counts[f"count/{name}"] = torch.tensor(output.numel() // output.shape[1])

    return note


def make_dmcf() -> torch_dmcf.DMCF:
    """Return the reduced DMCF in training mode."""
    d, identities = network.EMBEDDING_DIM, network.IDENTITIES
    return fill(torch_dmcf.DMCF(identities, **SIZES, d=d)).train()


def single_level() -> dict[str, np.ndarray]:
    """Return the losses of three steps of each method, and how far its tensors moved.

    Of each tensor the projections of its movement, see `golden_network.projections`.
    """
    found = {}
    for method, settings in network.SINGLE_LEVEL.items():
        model = fill(_single_level_network(method)).train()
        start = {k: v.clone() for k, v in model.state_dict().items()}
        sgd = torch_single_level.make_sgd(
            model,
            settings["lr_backbone"],
            settings["lr_heads"],
            settings["nesterov"],
            settings["weight_decay"],
        )
        labels = torch.tensor(network.SINGLE_LABELS)
        for step in range(network.SINGLE_STEPS):
            visible, infrared = (
                torch.from_numpy(
                    network.normalise(
                        network.images(f"{kind} {step}", len(labels), network.size_of(method))
                    )
                ).permute(0, 3, 1, 2)
                for kind in ("visible", "infrared")
            )
            ranked = method != "baseline_2019"
            loss = torch_single_level.train_step(model, sgd, visible, infrared, labels, ranked)
            found[f"{method}/loss/{step}"] = loss.numpy()
        for name, value in model.state_dict().items():
            if "num_batches" not in name and "running" not in name:
                moved = (value - start[name]).numpy()
                found[f"{method}/{name}"] = network.projections(name, moved)
    return found


def _single_level_network(method: str) -> torch.nn.Module:
    identities, d = len(network.SINGLE_LABELS), network.EMBEDDING_DIM
    if method == "bdtr_alexnet":
        return torch_alexnet.BdtrAlexNet(identities, network.WIDTH, d)
    return torch_single_level.SingleLevel(identities, **SIZES, d=d)


def alexnet() -> dict[str, np.ndarray]:
    """Return each part's output of one AlexNet for two images, and fc6 in training for eight."""
    images = network.normalise(network.images("visible 0", 8, network.ALEXNET_SIZE))
    inputs = torch.from_numpy(images).permute(0, 3, 1, 2)
    model = fill(torch_alexnet.AlexNet(network.WIDTH))
    with torch.no_grad():
        outputs, trained = model.eval()(inputs[:2]), model.train()(inputs)
    return as_arrays(outputs | {"fc6 in training": trained["fc6"]})


def agw() -> dict[str, np.ndarray]:
    """Return the losses of three steps of AGW with channel augmentation, and where they lead.

    In float64: in float32 the rounding of one step is a percent of some tensors' movement.

    `names` are the tensors. `first` has the projections of their movement in the first step,
    `last` in all steps, `average` those of the movement of their average over the steps.
    """
    model = torch_agw.AGW(len(set(network.LABELS)), **SIZES)
    fill(model).double().train()
    torch.nn.init.zeros_(model.heads["G1"].last_norm.bn.bias)
    start = _learned(model)
    sgd = torch_agw.make_sgd(model, **network.AGW)
    averaging = swa_utils.get_ema_multi_avg_fn(network.AGW_DECAY)
    average = swa_utils.AveragedModel(model, multi_avg_fn=averaging, use_buffers=True)
    average.update_parameters(model)  # the first call copies: the average begins at the start
    found, draws = {"names": np.array(list(start))}, (network.EXCHANGED, network.INFRARED_CHOICES)
    for step in range(network.AGW_STEPS):
        visible, infrared, labels = batch(step)
        pairs = visible.double(), infrared.double(), labels
        found[f"loss/{step}"] = torch_agw.train_step(model, sgd, *pairs, *draws).numpy()
        average.update_parameters(model)
        found[f"{'last' if step else 'first'}"] = _movement(start, _learned(model))
    return found | {"average": _movement(start, _learned(average.module))}


def _learned(model):
    """Return copies of all tensors that dmcf_jax has, too, but for variances, which differ."""
    return {
        name: value.clone()
        for name, value in model.state_dict().items()
        if not name.endswith(("num_batches_tracked", "running_var", "last_norm.bn.bias"))
    }


def _movement(start, end):
    moved = {name: (end[name] - value).numpy() for name, value in start.items()}
    return np.stack([network.projections(name, value) for name, value in moved.items()])


def translation() -> dict[str, np.ndarray]:
    """Return what UNIT's networks make of small images, and projections of a loss's gradient."""
    model = fill(
        torch_translation.Translation(
            network.TRANSLATION["width"], min(network.TRANSLATION["size"])
        )
    )
    images = torch.from_numpy(network.small_images()).permute(0, 3, 1, 2)
    latents, made, scores = model(images)
    loss = (latents**2).mean() + (made - images).abs().mean()
    loss = loss + sum(((score - 1) ** 2).mean() for score in scores)
    loss.backward()
    found = {"latents": latents, "made": made, "loss": loss}
    found |= {f"scores/{number}": score for number, score in enumerate(scores)}
    gradients = {
        f"gradient/{name}": network.projections(name, value.grad.numpy())
        for name, value in model.named_parameters()
    }
    return as_arrays(found) | gradients


def as_arrays(tensors: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    """Return the tensors for `np.savez`."""
    return {name: value.detach().numpy() for name, value in tensors.items()}


def main() -> None:
    """Write the files."""
    torch.set_num_threads(1)
    folder = ROOT / "tests" / "golden"
    folder.mkdir(exist_ok=True)
    makers = (activations, gradients, five_steps, single_level, alexnet, translation, agw)
    for make in makers:
        path = folder / f"{make.__name__}.npz"
        np.savez_compressed(path, **make())
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
