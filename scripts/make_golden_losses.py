"""Make tests/golden/losses.npz with PyTorch (needs the `torch` extra): values and gradients.

python scripts/make_golden_losses.py
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from support import golden_losses as cases  # noqa: E402

from benchmarks import torch_losses as truth  # noqa: E402

MARGIN = cases.MARGIN


def torch_functions(labels: torch.Tensor, images: int) -> dict[str, Callable]:
    """Return the losses of rows [2 b d] by name; `labels` are those of the b pairs."""
    both = torch.cat([labels, labels])

    def fused(loss, *settings):
        return lambda rows: loss(rows.flatten(0, 1), both, *settings)

    def paired(loss, *settings):
        return lambda rows: loss(*rows, labels, *settings)

    def ranking(term):
        return lambda rows: truth.ranking(*rows, labels, *cases.RANKING)[term]

    return {
        "batch_hard": fused(truth.batch_hard, MARGIN),
        "soft_margin": fused(truth.soft_margin),
        "weighted": fused(truth.weighted),
        "squared_difference": fused(truth.squared_difference),
        "ranking": ranking(0),
        "intra": ranking(1),
        "cross_triplet": paired(truth.cross_triplet, MARGIN),
        "drawn_triplet": lambda rows: truth.drawn_triplet(*rows, images, MARGIN),
        "centre_triplet": paired(truth.centre_triplet, images, MARGIN),
        "centre": lambda rows: truth.centre(*rows, images),
        "contrastive": paired(truth.contrastive, cases.TEMPERATURE),
        "supervised_contrastive": fused(truth.supervised_contrastive, cases.TEMPERATURE),
        "tone": paired(truth.tone, cases.TONE_MARGIN, False),
        "tone_by_column": paired(truth.tone, cases.TONE_MARGIN, True),
        "gsm": paired(truth.gsm, cases.OFFSET),
        "softmax": fused(truth.softmax, 0.0),
        "smoothed_softmax": fused(truth.softmax, cases.SMOOTHING),
        "cosine_softmax": paired(truth.cosine_softmax, cases.SCALE),
    }


def losses() -> dict[str, np.ndarray]:
    """Return each loss's values [c] and gradients [c 2 b d] over the cases, float32."""
    found: dict[str, list] = {}
    for case in cases.CASES:
        rows, labels, images = cases.batch(case)
        people = torch.from_numpy(labels).long()
        for name, loss in torch_functions(people, images).items():
            for part, array in value_and_gradient(loss, rows).items():
                found.setdefault(f"{name}/{part}", []).append(array.astype(np.float32))
    return {name: np.stack(arrays) for name, arrays in found.items()}


def hcml() -> dict[str, np.ndarray]:
    """Return HCML's objectives and their gradients by both maps, where there are two people."""
    maps, metric = cases.maps()
    found: dict[str, list] = {}
    for case in cases.of_several_people():
        rows, labels, _ = cases.batch(case)
        data = (*torch.from_numpy(rows).double(), torch.from_numpy(labels))
        made = value_and_gradient(
            lambda both, data=data: truth.hcml(*data, tuple(both), torch.from_numpy(metric)), maps
        )
        for part, array in made.items():
            found.setdefault(f"hcml/{part}", []).append(array)
    return {name: np.stack(arrays) for name, arrays in found.items()}


def value_and_gradient(function: Callable, place: np.ndarray) -> dict[str, np.ndarray]:
    """Return the value of a scalar function at `place` and its slope there, in float64."""
    point = torch.tensor(place, dtype=torch.float64, requires_grad=True)
    value = function(point)
    (gradient,) = torch.autograd.grad(value, point)
    return {"value": value.detach().numpy(), "gradient": gradient.numpy()}


def main() -> None:
    """Write the file: the batches and what PyTorch makes of them."""
    torch.set_num_threads(1)
    rows, labels, _ = zip(*map(cases.batch, cases.CASES), strict=True)
    path = ROOT / "tests" / "golden" / "losses.npz"
    np.savez_compressed(path, rows=np.stack(rows), labels=np.stack(labels), **losses(), **hcml())
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
