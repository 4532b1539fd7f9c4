"""BDTR's two AlexNets in PyTorch, in torchvision's layout, without dropout.

Written from torchvision's published layout and BDTR's description; the training step is that of
`torch_single_level`. Rows are all visible, then all infrared.
"""

import torch
import torch.nn.functional as F
from torch import nn


class ShiftNorm(nn.BatchNorm1d):
    """Batch norm with a bias, but without a scale."""

    def __init__(self, features: int):
        """Make the bias and the statistics."""
        super().__init__(features, affine=False)
        self.bias = nn.Parameter(torch.zeros(features))


class AlexNet(nn.Module):
    """Five convolutions and the first linear layer, under torchvision's names, and a norm."""

    def __init__(self, width: int = 64):
        """Make torchvision's layers by default."""
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, width, 11, 4, 2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(width, 3 * width, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(3 * width, 6 * width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(6 * width, 4 * width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(4 * width, 4 * width, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
        )
        self.classifier = nn.ModuleDict({"1": nn.Linear(4 * width * 36, 64 * width)})
        self.fc6_bn = ShiftNorm(64 * width)

    def forward(self, x):
        """Return what follows each convolution, by a ResNet's names, and fc6 behind its norm."""
        outputs, ends = {}, {2: "stem", 5: "layer1", 7: "layer2", 9: "layer3", 11: "layer4"}
        for number, layer in enumerate(self.features):
            x = layer(x)
            if number in ends:
                outputs[ends[number]] = x
        flat = F.adaptive_avg_pool2d(x, 6).flatten(1)
        return outputs | {"fc6": self.fc6_bn(self.classifier["1"](flat))}


class Fc7(nn.Module):
    """The second linear layer and the classifier, shared by the modalities."""

    def __init__(self, values: int, d: int, identities: int):
        """Make both."""
        super().__init__()
        self.hidden, self.classifier = nn.Linear(values, d), nn.Linear(d, identities)

    def forward(self, fc6):
        """Return (embedding, logits)."""
        embedding = F.relu(self.hidden(F.relu(fc6)))
        return embedding, self.classifier(embedding)


class BdtrAlexNet(nn.Module):
    """Two AlexNets up to fc6 and what they share."""

    def __init__(self, identities: int, width: int = 64, d: int = 1024):
        """Make the published network by default."""
        super().__init__()
        self.visible, self.infrared = AlexNet(width), AlexNet(width)
        self.heads = nn.ModuleDict({"G1": Fc7(64 * width, d, identities)})

    def forward(self, visible, infrared):
        """Return (embedding, logits)."""
        rows = [self.visible(visible)["fc6"], self.infrared(infrared)["fc6"]]
        return self.heads["G1"](torch.cat(rows))
