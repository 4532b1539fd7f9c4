"""Networks of one level in PyTorch: `baseline_2019` and BDTR, written from their papers' sources.

Whole ResNet-50 streams, average pooling, linear layer and batch norm, leaky ReLU, classifier; SGD
with momentum. Rows are all visible, then all infrared.
"""

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.torch_dmcf import EXPANSION, Head, ResNet


class SingleLevel(nn.Module):
    """Two streams and one head on layer4."""

    def __init__(self, identities, stage_sizes=(3, 4, 6, 3), width=64, d=512):
        """Make the published network by default."""
        super().__init__()
        self.visible = ResNet(stage_sizes, width, 2)
        self.infrared = ResNet(stage_sizes, width, 2)
        head = Head(EXPANSION * width * 8, d, identities, linear=True)
        self.heads = nn.ModuleDict({"G1": head})

    def forward(self, visible, infrared):
        """Return (embedding, logits)."""
        maps = [self.visible(visible)["layer4"], self.infrared(infrared)["layer4"]]
        return self.heads["G1"](torch.cat(maps).mean(dim=(2, 3)))


def bdtr_loss(embedding, margin=0.5, intra_margin=0.1, intra_weight=0.1):
    """Return the two-way ranking terms of one image of each person and modality."""
    visible, infrared = F.normalize(embedding).chunk(2)
    squared = 2 - 2 * visible @ infrared.T
    distances = squared.clamp(min=1e-12).sqrt()
    total = 0.0
    for matrix, rows in ((distances, infrared), (distances.T, visible)):
        own = matrix.diagonal()
        others = matrix + torch.diag(torch.full_like(own, torch.inf))
        nearest, place = others.min(dim=1)
        cross = F.relu(margin + own - nearest).mean()
        apart = (rows - rows[place]).norm(dim=1)
        total = total + cross + intra_weight * F.relu(intra_margin - apart).mean()
    return total


def make_sgd(model, lr_backbone, lr_heads, nesterov, weight_decay):
    """Return SGD with momentum 0.9 over streams and head."""
    streams = [*model.visible.parameters(), *model.infrared.parameters()]
    groups = [
        {"params": streams, "lr": lr_backbone},
        {"params": list(model.heads.parameters()), "lr": lr_heads},
    ]
    return torch.optim.SGD(
        groups, lr_heads, momentum=0.9, nesterov=nesterov, weight_decay=weight_decay
    )


def train_step(model, sgd, visible, infrared, labels, ranked):
    """Do one step on pairs and return the loss before it; `ranked` adds BDTR's terms."""
    sgd.zero_grad(set_to_none=True)
    embedding, logits = model(visible, infrared)
    loss = F.cross_entropy(logits, torch.cat([labels, labels]))
    loss = loss + bdtr_loss(embedding) if ranked else loss
    loss.backward()
    sgd.step()
    return loss.detach()
