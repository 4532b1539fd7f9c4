"""AGW in PyTorch with channel augmentation: network, losses, one step; written from the papers.

A stem for each modality and shared stages with non-local blocks, generalised mean, a batch norm
between the losses of distances and the classifier. Rows are visible, visible with exchanged
channels, infrared.
"""

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.torch_dmcf import EXPANSION, ResNet

LUMA = (0.299, 0.587, 0.114)
GREY, AS_IT_IS = 3, 4  # what may happen to an infrared image beside 0, 1, 2: a channel for all


class NonLocal(nn.Module):
    """x + BN(W y), y_i = sum_j (theta x_i . phi x_j) g x_j / N over all N positions."""

    def __init__(self, channels: int):
        """Make four 1x1 maps, as matrices, with half of the channels inside."""
        super().__init__()
        inner = channels // 2
        self.theta, self.phi, self.g = (nn.Linear(channels, inner) for _ in range(3))
        self.w, self.bn = nn.Linear(inner, channels), nn.BatchNorm2d(channels)

    def forward(self, x):
        """Return the map, NCHW."""
        rows = x.flatten(2).transpose(1, 2)
        affinity = self.theta(rows) @ self.phi(rows).transpose(1, 2) / rows.shape[1]
        added = self.w(affinity @ self.g(rows)).transpose(1, 2).reshape(x.shape)
        return x + self.bn(added)


class Stem(nn.Module):
    """The first convolution of one modality."""

    def __init__(self, width: int):
        """Make it."""
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)

    def forward(self, x):
        """Return the map after the maximum."""
        return F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)


class LastNorm(nn.Module):
    """Batch norm whose bias is frozen at 0."""

    def __init__(self, channels: int):
        """Make it."""
        super().__init__()
        self.bn = nn.BatchNorm1d(channels)
        self.bn.bias.requires_grad_(False)

    def forward(self, x):
        """Return the normalised rows."""
        return self.bn(x)


class Head(nn.Module):
    """A batch norm and a classifier without bias."""

    def __init__(self, channels: int, identities: int):
        """Make both."""
        super().__init__()
        self.last_norm = LastNorm(channels)
        self.classifier = nn.Linear(channels, identities, bias=False)

    def forward(self, x):
        """Return the logits."""
        return self.classifier(self.last_norm(x))


class AGW(nn.Module):
    """The network; one non-local block behind the last block of layer2 and of layer3."""

    def __init__(self, identities, stage_sizes=(3, 4, 6, 3), width=64, power=3.0):
        """Make it; AGW itself has 2 and 3 such blocks, in stages of 4 and 6."""
        super().__init__()
        self.visible, self.infrared = Stem(width), Stem(width)
        self.shared = ResNet(stage_sizes, width, last_stride=1)
        del self.shared.conv1, self.shared.bn1
        for stage, times in (("layer2", 2), ("layer3", 4)):
            last = getattr(self.shared, stage)[-1]
            last.non_local = NonLocal(EXPANSION * width * times)
        self.heads = nn.ModuleDict({"G1": Head(EXPANSION * width * 8, identities)})
        self.power = power

    def forward(self, visible, infrared):
        """Return (pooled values, logits)."""
        x = torch.cat([self.visible(visible), self.infrared(infrared)])
        for stage in ("layer1", "layer2", "layer3", "layer4"):
            for block in getattr(self.shared, stage):
                x = block(x)
                x = block.non_local(x) if hasattr(block, "non_local") else x
        pooled = ((x**self.power).mean(dim=(2, 3)) + 1e-12) ** (1 / self.power)
        return pooled, self.heads["G1"](pooled)


def weighted_triplet(rows, labels):
    """Return AGW's triplet loss of weighted own and other distances."""
    squares = (rows**2).sum(1)
    squared = squares[:, None] + squares[None] - 2 * rows @ rows.T
    distances = squared.clamp(min=1e-12).sqrt()
    same = labels[:, None] == labels[None]
    own = distances.masked_fill(~same, -torch.inf).softmax(1)
    other = (-distances).masked_fill(same, -torch.inf).softmax(1)
    gap = (own * distances).sum(1) - (other * distances).sum(1)
    return F.softplus(gap).mean()


def copied(images, channels):
    """Return images NCHW with one channel of each in all three."""
    return torch.stack([x[[c]].expand(3, -1, -1) for x, c in zip(images, channels, strict=True)])


def adapted(images, choices):
    """Return infrared images NCHW, each changed as chosen: 0, 1, 2, `GREY` or `AS_IT_IS`."""

    def one(image, choice):
        if choice == AS_IT_IS:
            return image
        grey = sum(share * channel for share, channel in zip(LUMA, image, strict=True))
        return (grey if choice == GREY else image[choice]).expand(3, -1, -1)

    return torch.stack([one(x, c) for x, c in zip(images, choices, strict=True)])


def train_step(model, sgd, visible, infrared, labels, exchanged, choices):
    """Do one step on pairs and return the loss before it.

    Args:
        exchanged: channel of the second view of each visible image.
        choices: what happens to each infrared image.
    """
    sgd.zero_grad(set_to_none=True)
    both = torch.cat([visible, copied(visible, exchanged)])
    rows, logits = model(both, adapted(infrared, choices))
    labels = torch.cat([labels] * 3)
    loss = F.cross_entropy(logits, labels) + weighted_triplet(rows, labels)
    loss.backward()
    sgd.step()
    return loss.detach()


def make_sgd(model, lr_backbone, lr_heads, weight_decay):
    """Return Nesterov's SGD over stems and stages, and over the head."""
    streams = [
        p for part in (model.visible, model.infrared, model.shared) for p in part.parameters()
    ]
    head = [p for p in model.heads.parameters() if p.requires_grad]
    groups = [{"params": streams, "lr": lr_backbone}, {"params": head, "lr": lr_heads}]
    return torch.optim.SGD(groups, lr_heads, momentum=0.9, nesterov=True, weight_decay=weight_decay)
