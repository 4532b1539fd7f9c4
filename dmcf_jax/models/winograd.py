"""Winograd's F(2x2, 3x3): a 3x3 convolution with 16 products for each 2 x 2 outputs, not 36.

Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016. Its gradients are
16 products each as well. F(4x4, 3x3) is slower on CPU and its error is ten times larger.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from dmcf_jax.models.pointwise import pointwise


def winograd(
    x: Float[Array, "n h w c"], kernel: Float[Array, "3 3 c o"]
) -> Float[Array, "n h w o"]:
    """Convolve at stride 1 with a padding of one."""
    rows, columns = (-(-n // 2) for n in x.shape[1:3])
    tiles = _both_ways(_of_inputs, _shifted(x, rows, columns))
    kernels = _both_ways(_of_kernel, kernel)
    products = [
        [pointwise(tile, matrix) for tile, matrix in zip(*pair, strict=True)]
        for pair in zip(tiles, kernels, strict=True)
    ]
    # [n, rows, columns, o] at every place of 2 x 2 outputs, to be woven together.
    outputs = [jnp.stack(row, 3) for row in _both_ways(_of_products, products)]
    woven = jnp.stack(outputs, 2).reshape(len(x), 2 * rows, 2 * columns, -1)
    return woven[:, : x.shape[1], : x.shape[2]]


def _shifted(x, rows, columns):
    """Return the values at each place of the 4 x 4 inputs of all tiles, which are 2 apart."""
    below, right = 2 * rows + 1 - x.shape[1], 2 * columns + 1 - x.shape[2]
    padded = jnp.pad(x, ((0, 0), (1, below), (1, right), (0, 0)))
    halves = padded.reshape(len(x), rows + 1, 2, columns + 1, 2, x.shape[3])
    return [
        [
            halves[:, i // 2 : i // 2 + rows, i % 2, j // 2 : j // 2 + columns, j % 2]
            for j in range(4)
        ]
        for i in range(4)
    ]


def _both_ways(transform, grid):
    """Apply `transform` along the columns of a list of lists, then along its rows."""
    columns = [transform(column) for column in zip(*grid, strict=True)]
    return [transform(row) for row in zip(*columns, strict=True)]


def _of_inputs(d):
    return [d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]]


def _of_kernel(g):
    outer, inner = (g[0] + g[2]) / 2, g[1] / 2
    return [g[0], outer + inner, outer - inner, g[2]]


def _of_products(m):
    return [m[0] + m[1] + m[2], m[1] - m[2] - m[3]]
