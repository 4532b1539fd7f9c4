"""UNIT's encoder, generator and discriminator in PyTorch, small: the truth of a golden test.

Written from the description of its authors' code. Images are NCHW, from -1 to 1.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F


def conv(channels, features, size, stride=1):
    """Return a convolution with mirrored borders."""
    return nn.Conv2d(
        channels,
        features,
        size,
        stride,
        (size - 1) // 2,
        padding_mode="reflect" if size > 1 else "zeros",
    )


class Block(nn.Module):
    """Two convolutions with instance norms around a shortcut."""

    def __init__(self, channels):
        """Make both."""
        super().__init__()
        self.conv1, self.conv2 = conv(channels, channels, 3), conv(channels, channels, 3)

    def forward(self, x):
        """Return the block's output."""
        y = F.relu(F.instance_norm(self.conv1(x)))
        return x + F.instance_norm(self.conv2(y))


class Encoder(nn.Module):
    """Three convolutions and a block."""

    def __init__(self, width):
        """Make the layers."""
        super().__init__()
        self.first = conv(3, width, 7)
        self.down1, self.down2 = conv(width, 2 * width, 4, 2), conv(2 * width, 4 * width, 4, 2)
        self.block0 = Block(4 * width)

    def forward(self, x):
        """Return the latent map."""
        for layer in (self.first, self.down1, self.down2):
            x = F.relu(F.instance_norm(layer(x)))
        return self.block0(x)


class SampleNorm(nn.Module):
    """Mean and deviation of each sample, then a scale and a bias of each channel."""

    def __init__(self, channels):
        """Make scale and bias."""
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x):
        """Return the normalised maps."""
        flat = x.flatten(1)
        mean, std = (value.reshape(-1, 1, 1, 1) for value in (flat.mean(1), flat.std(1)))
        x = (x - mean) / (std + 1e-5)
        return x * self.weight.reshape(1, -1, 1, 1) + self.bias.reshape(1, -1, 1, 1)


class Generator(nn.Module):
    """A block and three convolutions, two of them after doubling the size."""

    def __init__(self, width):
        """Make the layers."""
        super().__init__()
        self.block0 = Block(4 * width)
        self.up1, self.norm1 = conv(4 * width, 2 * width, 5), SampleNorm(2 * width)
        self.up2, self.norm2 = conv(2 * width, width, 5), SampleNorm(width)
        self.last = conv(width, 3, 7)

    def forward(self, x):
        """Return the image."""
        x = self.block0(x)
        for layer, norm in ((self.up1, self.norm1), (self.up2, self.norm2)):
            x = F.relu(norm(layer(F.interpolate(x, scale_factor=2, mode="nearest"))))
        return torch.tanh(self.last(x))


class Discriminator(nn.Module):
    """Convolutions of stride 2 at three sizes, at most four each, and a score of each patch."""

    def __init__(self, width, size):
        """Make the layers for images whose smaller side is `size`."""
        super().__init__()
        self.counts = []
        for scale in range(3):
            channels = 3
            self.counts.append(min(4, int(math.log2(size))))
            for layer in range(self.counts[-1]):
                features = width * 2**layer
                self.add_module(f"scale{scale}_conv{layer}", conv(channels, features, 4, 2))
                channels = features
            self.add_module(f"scale{scale}_score", conv(channels, 1, 1))
            size = (size + 1) // 2

    def forward(self, image):
        """Return the scores by size."""
        scores = []
        for scale, count in enumerate(self.counts):
            x = image
            for layer in range(count):
                x = F.leaky_relu(getattr(self, f"scale{scale}_conv{layer}")(x), 0.2)
            scores.append(getattr(self, f"scale{scale}_score")(x))
            image = F.avg_pool2d(image, 3, 2, 1, count_include_pad=False)
        return scores


class Translation(nn.Module):
    """All three, one behind the other."""

    def __init__(self, width, size):
        """Make them."""
        super().__init__()
        self.encoder, self.generator = Encoder(width), Generator(width)
        self.discriminator = Discriminator(width, size)

    def forward(self, images):
        """Return latent maps, images and scores."""
        latents = self.encoder(images)
        made = self.generator(latents)
        return latents, made, self.discriminator(made)
