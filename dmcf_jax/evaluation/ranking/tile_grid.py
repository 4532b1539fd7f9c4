"""How the distance matrix is divided into tiles: blocks of queries by blocks of gallery images."""

import dataclasses
from typing import NamedTuple

import numpy as np

from dmcf_jax.errors import UserError
from dmcf_jax.evaluation.ranking.tile_kernels import lanes_of

TILE_ELEMENTS = 2**21
GALLERY_BLOCK = 4096


@dataclasses.dataclass(frozen=True)
class RowBlocks:
    """`n` rows in `number` blocks of `size` rows, the last one padded."""

    n: int
    size: int

    @property
    def number(self) -> int:
        """How many blocks there are."""
        return -(-self.n // self.size)

    def start(self, block: int) -> int:
        """Return the first row of a block."""
        return block * self.size

    def real(self, block: int) -> slice:
        """Return the rows of a block that are not padding."""
        return slice(block * self.size, min(self.n, (block + 1) * self.size))

    def padded(self, values: np.ndarray, fill: int) -> np.ndarray:
        """Return `values` `[n]`, extended with `fill` to complete blocks."""
        missing = self.number * self.size - self.n
        return np.concatenate([values, np.full(missing, fill, values.dtype)])


class TileGrid(NamedTuple):
    """The blocks of both sides; tile (i, j) is query block i against gallery block j."""

    queries: RowBlocks
    gallery: RowBlocks

    @property
    def tile_shape(self) -> tuple[int, int]:
        """Queries and gallery images of a tile, padding included."""
        return self.queries.size, self.gallery.size


def plan_blocks(
    queries: int, gallery: int, block: tuple[int, int] | None = None, devices: int = 1
) -> TileGrid:
    """Return a grid over `queries` x `gallery` distances with tiles of about `block`.

    By default a gallery block is the entire gallery up to 4,096 images and a device's share of a
    tile has about two million elements (8 MB). Sizes are rounded up to what the kernels need:
    each of the `devices` gets the same number of a block's queries, a multiple of 8.

    Raises:
        UserError: a block size below 1.
    """
    if block is not None and min(block) < 1:
        raise UserError(f"block={block}: both block sizes must be at least 1", about="block")
    if block is None:
        gallery_size = _even_size(gallery, GALLERY_BLOCK)
    else:
        gallery_size = min(block[1], gallery)
    columns = RowBlocks(gallery, _round_up(gallery_size, lanes_of(gallery_size)))
    if block is None:
        most = devices * min(4096, max(8, TILE_ELEMENTS // columns.size))
        query_size = _even_size(queries, most)
    else:
        query_size = min(block[0], queries)
    return TileGrid(RowBlocks(queries, _round_up(query_size, 8 * devices)), columns)


def _even_size(rows: int, most: int) -> int:
    """Return the size of the fewest blocks of at most `most` rows, all about equally large."""
    return -(-rows // -(-rows // most))


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
