"""DMCF in plain PyTorch: the independent truth of the golden tests and the side of the benchmark.

Written from the paper and from torchvision's published layout, not from `dmcf_jax`; it needs the
`torch` extra. Images are NCHW, float32, normalised.
"""

import torch
from torch import nn
from torch.nn import functional as F

EXPANSION = 4
LEVELS = ("layer2", "layer3", "layer4")
# Name, stage, stripe and number of stripes of the paper's eight features.
FEATURES = (
    ("G1", "layer2", None, 1),
    ("G2", "layer3", None, 2),
    ("R1", "layer3", 0, 2),
    ("R2", "layer3", 1, 2),
    ("G3", "layer4", None, 3),
    ("R3", "layer4", 0, 3),
    ("R4", "layer4", 1, 3),
    ("R5", "layer4", 2, 3),
)


class Bottleneck(nn.Module):
    """1x1, 3x3 (with the stride), 1x1 convolutions around a shortcut."""

    def __init__(self, channels: int, width: int, stride: int):
        """Make the parts under torchvision's names."""
        super().__init__()
        out = EXPANSION * width
        self.conv1, self.bn1 = nn.Conv2d(channels, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, out, 1, bias=False), nn.BatchNorm2d(out)
        self.downsample = None
        if stride != 1 or channels != out:
            shortcut = nn.Conv2d(channels, out, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(out))

    def forward(self, x):
        """Return the block's output."""
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    """Stem and four stages; `forward` returns the output of each by name."""

    def __init__(self, stage_sizes=(3, 4, 6, 3), width=64, last_stride=2):
        """Make a ResNet-50 by default."""
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        channels = width
        for i, (blocks, stride) in enumerate(zip(stage_sizes, (1, 2, 2, last_stride), strict=True)):
            inner = width * 2**i
            stage = [Bottleneck(channels, inner, stride)]
            channels = EXPANSION * inner
            stage += [Bottleneck(channels, inner, 1) for _ in range(blocks - 1)]
            self.add_module(f"layer{i + 1}", nn.Sequential(*stage))

    def forward(self, x):
        """Return {'stem', 'layer1', .., 'layer4'}, NCHW."""
        outputs = {"stem": F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)}
        x = outputs["stem"]
        for name in ("layer1", "layer2", "layer3", "layer4"):
            outputs[name] = x = getattr(self, name)(x)
        return outputs


class Reduction(nn.Module):
    """Eq. 7: 1x1 convolution of a pooled vector, batch norm, ReLU; or with a bias, without ReLU."""

    def __init__(self, channels: int, d: int, linear: bool = False):
        """Make the matrix and the norm."""
        super().__init__()
        self.conv, self.bn = nn.Linear(channels, d, bias=linear), nn.BatchNorm1d(d)
        self.linear = linear

    def forward(self, x):
        """Return the reduced vectors."""
        x = self.bn(self.conv(x))
        return x if self.linear else F.relu(x)


class Head(nn.Module):
    """Reduction and classifier of one feature."""

    def __init__(self, channels: int, d: int, identities: int, linear: bool = False):
        """Make both; a linear reduction has a leaky ReLU between them."""
        super().__init__()
        self.reduction = Reduction(channels, d, linear)
        self.between = nn.LeakyReLU(0.1) if linear else nn.Identity()
        self.classifier = nn.Linear(d, identities)

    def forward(self, pooled):
        """Return (embedding, logits)."""
        embedding = self.reduction(pooled)
        return embedding, self.classifier(self.between(embedding))


def pool(maps, stripe, stripes):
    """Eq. 4-6: the maximum of the map or of one of its horizontal stripes."""
    if stripe is not None:
        maps = maps.chunk(stripes, dim=2)[stripe]
    return maps.amax(dim=(2, 3))


class DMCF(nn.Module):
    """Two streams, eight heads, three sigmas."""

    def __init__(self, identities, stage_sizes=(3, 4, 6, 3), width=64, last_stride=2, d=256):
        """Make the paper's network by default."""
        super().__init__()
        self.visible = ResNet(stage_sizes, width, last_stride)
        self.infrared = ResNet(stage_sizes, width, last_stride)
        channels = {f"layer{i + 1}": EXPANSION * width * 2**i for i in range(4)}
        heads = {name: Head(channels[stage], d, identities) for name, stage, _, _ in FEATURES}
        self.heads = nn.ModuleDict(heads)
        self.log_variance = nn.Parameter(torch.zeros(len(LEVELS)))

    def forward(self, visible, infrared):
        """Return embeddings and logits by feature; rows are all visible, then all infrared."""
        maps_v, maps_i = self.visible(visible), self.infrared(infrared)
        embeddings, logits = {}, {}
        for name, stage, stripe, stripes in FEATURES:
            fused = torch.cat([maps_v[stage], maps_i[stage]])
            embeddings[name], logits[name] = self.heads[name](pool(fused, stripe, stripes))
        return embeddings, logits


def batch_hard_triplet(embeddings, labels, margin):
    """Eq. 8 with the hardest positive and the hardest negative of each anchor."""
    squares = (embeddings**2).sum(1)
    squared = squares[:, None] + squares[None] - 2 * embeddings @ embeddings.T
    # A clamp passes no gradient below its bound, so that equal rows and the diagonal have none.
    distances = squared.clamp(min=1e-12).sqrt()
    same = labels[:, None] == labels[None]
    farthest = distances.masked_fill(~same, 0.0).amax(1)
    nearest = distances.masked_fill(same, float("inf")).amin(1)
    return F.relu(margin + farthest - nearest).mean()


def losses(embeddings, logits, labels, margin):
    """Return L1..L11 (eq. 8-11) in the paper's order, each with its level's index."""
    found = []
    for name, stage, stripe, _ in FEATURES:
        level = LEVELS.index(stage)
        if stripe is None:
            found.append((level, batch_hard_triplet(embeddings[name], labels, margin)))
        found.append((level, F.cross_entropy(logits[name], labels)))
    return found


def total_loss(found, log_variance, weighted):
    """Return eq. 15 over the level sums of eq. 12-14, or their plain sum."""
    levels = torch.stack([sum(v for at, v in found if at == i) for i in range(len(LEVELS))])
    if not weighted:
        return levels.sum()
    return (levels / (2 * log_variance.exp()) + 0.5 * log_variance).sum()


def make_adam(model, lr_backbone=0.001, lr_heads=0.01, lr_log_variance=0.01):
    """Return Adam over the three groups."""
    streams = [*model.visible.parameters(), *model.infrared.parameters()]
    groups = [
        {"params": streams, "lr": lr_backbone},
        {"params": list(model.heads.parameters()), "lr": lr_heads},
        {"params": [model.log_variance], "lr": lr_log_variance},
    ]
    return torch.optim.Adam(groups)


def train_step(model, adam, visible, infrared, labels, margin=1.8, weighted=True):
    """Do one step on b pairs and return the loss before it.

    `log_variance` is left out of the step while the sum is plain, as it has no gradient then.
    """
    adam.zero_grad(set_to_none=True)
    found = losses(*model(visible, infrared), torch.cat([labels, labels]), margin)
    loss = total_loss(found, model.log_variance, weighted)
    loss.backward()
    adam.step()
    with torch.no_grad():
        model.log_variance.clamp_(-2.0, 5.0)
    return loss.detach()
