"""ResNet with bottlenecks, equal to torchvision's ResNet-50 number for number.

Parts carry torchvision's names (`conv1`, `bn1`, `layer1_0/conv1`, ...; a dot becomes `_` between
stage and block), so that the table in `dmcf_jax/weights/torch_names.py` stays short. Paddings are
written out: XLA's 'SAME' differs from PyTorch's at stride 2.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from dmcf_jax.models.batch_norm import BatchNorm
from dmcf_jax.models.convolution import Conv, max_pool_3x3
from dmcf_jax.models.non_local import NonLocal

STAGES = ("stem", "layer1", "layer2", "layer3", "layer4")
EXPANSION = 4  # a block's output channels by its inner channels


def map_size(size: tuple[int, int], stage: str, last_stride: int) -> tuple[int, int]:
    """Return height and width of a stage's output for input images of `size`."""
    halvings = {"stem": 2, "layer1": 2, "layer2": 3, "layer3": 4, "layer4": 3 + last_stride}[stage]
    height, width = size
    for _ in range(halvings):
        height, width = (height + 1) // 2, (width + 1) // 2
    return height, width


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions around a shortcut; the stride sits on the 3x3.

    Attributes:
        width: channels inside; the output has `EXPANSION * width`.
        stride: of the 3x3 convolution and the shortcut.
        dtype: of the computation.
        conv_impl: 'xla' or 'matmul', see `dmcf_jax.models.convolution`.
    """

    width: int
    stride: int = 1
    dtype: Any = jnp.float32
    conv_impl: str = "xla"

    @nn.compact
    def __call__(self, x: Float[Array, "n h w c"], train: bool) -> Float[Array, "n y x o"]:
        """Return the block's output, after its last ReLU."""
        conv = partial(Conv, dtype=self.dtype, conv_impl=self.conv_impl)
        norm = partial(BatchNorm, train, self.dtype)
        y = nn.relu(norm(name="bn1")(conv(self.width, 1, name="conv1")(x)))
        y = nn.relu(norm(name="bn2")(conv(self.width, 3, self.stride, name="conv2")(y)))
        y = norm(name="bn3")(conv(EXPANSION * self.width, 1, name="conv3")(y))
        if x.shape != y.shape:
            shortcut = conv(EXPANSION * self.width, 1, self.stride, name="downsample_conv")(x)
            x = norm(name="downsample_bn")(shortcut)
        return nn.relu(y + x)


class ResNet(nn.Module):
    """A run of consecutive parts of a ResNet, by default all of it without the classifier.

    Attributes:
        stage_sizes: blocks in layer1..layer4.
        width: channels of the stem; stage i is `EXPANSION * width * 2**i` wide.
        last_stride: of layer4, 2 as published or 1.
        parts: consecutive names out of `STAGES`, what this module holds.
        dtype: of the computation; parameters are float32.
        conv_impl: 'xla' or 'matmul', see `dmcf_jax.models.convolution`.
        remat: recompute each block in the backward pass instead of keeping its activations.
        non_local: how many blocks of layer1..layer4, counted from a stage's last and at most all,
            are followed by a `NonLocal`.
    """

    stage_sizes: tuple[int, ...] = (3, 4, 6, 3)
    width: int = 64
    last_stride: int = 2
    parts: tuple[str, ...] = STAGES
    dtype: Any = jnp.float32
    conv_impl: str = "xla"
    remat: bool = False
    non_local: tuple[int, ...] = (0, 0, 0, 0)

    @nn.compact
    def __call__(self, x: Float[Array, "n h w c"], train: bool) -> dict[str, Array]:
        """Return the output of every part, NHWC, by name.

        Args:
            x: normalised images if the first part is the stem, else the part before's output.
            train: use batch statistics and update the running ones.
        """
        outputs = {}
        for part in self.parts:
            with jax.named_scope(part):
                x = self._stem(x, train) if part == "stem" else self._stage(part, x, train)
            outputs[part] = x
        return outputs

    def _stem(self, x, train):
        x = Conv(self.width, 7, 2, self.dtype, self.conv_impl, name="conv1")(x)
        x = nn.relu(BatchNorm(train, self.dtype, name="bn1")(x))
        return max_pool_3x3(x, self.conv_impl)

    def _stage(self, part, x, train):
        index = STAGES.index(part) - 1
        first_stride = (1, 2, 2, self.last_stride)[index]
        block_class = nn.remat(Bottleneck, static_argnums=(2,)) if self.remat else Bottleneck
        for number in range(self.stage_sizes[index]):
            stride = first_stride if number == 0 else 1
            block = block_class(
                self.width * 2**index, stride, self.dtype, self.conv_impl, name=f"{part}_{number}"
            )
            x = block(x, train)
            if number >= self.stage_sizes[index] - self.non_local[index]:
                x = NonLocal(self.dtype, name=f"{part}_{number}_non_local")(x, train)
        return x
