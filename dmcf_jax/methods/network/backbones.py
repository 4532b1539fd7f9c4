"""The backbones that streams can have: one line each in `BACKBONES`."""

from collections.abc import Callable
from typing import Any, NamedTuple

from flax import linen as nn

from dmcf_jax.models import alexnet, resnet

FC6 = "fc6"  # the pooling that only an AlexNet has: its first linear layer


class Backbone(NamedTuple):
    """A backbone.

    Attributes:
        stream: (network, names out of `STAGES`) -> Linen module that maps (x, train) to the outputs
            of these stages by name. The network is a `TwoStreams`.
        map_size: (image size, stage, model.last_stride) -> height and width of a stage's output.
        unread: fields of the room `model` that it does not read.
    """

    stream: Callable[[Any, tuple[str, ...]], nn.Module]
    map_size: Callable[[tuple[int, int], str, int], tuple[int, int]]
    unread: tuple[str, ...] = ()


def _resnet(network: Any, parts: tuple[str, ...]) -> nn.Module:
    return resnet.ResNet(
        network.stage_sizes,
        network.width,
        network.last_stride,
        parts,
        network.dtype,
        network.conv_impl,
        network.remat,
        network.non_local,
    )


def _alexnet(network: Any, parts: tuple[str, ...]) -> nn.Module:
    fc6 = network.pool == FC6
    return alexnet.AlexNet(network.width, parts, fc6, network.dtype, network.conv_impl)


BACKBONES = {
    "resnet": Backbone(_resnet, resnet.map_size),
    "alexnet": Backbone(
        _alexnet,
        lambda size, stage, last_stride: alexnet.map_size(size, stage),
        ("stage_sizes", "last_stride", "block_start", "remat", "non_local"),
    ),
}
