"""How many pairs have which score: two passes over tiles of distances, exact, in fixed memory.

The first pass counts by the high half of a score's 32 bits; the second by the low half, for the
few high halves that a caller wants to know more of. A device counts in int32 and empties its
counts before they could overflow; the host adds them in int64.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from jax.sharding import Mesh, NamedSharding
from jaxtyping import Array, Float, Float32, Int, Int64

from dmcf_jax.evaluation.ranking.block_ranker import QueryGallery
from dmcf_jax.evaluation.ranking.distances import Tiles
from dmcf_jax.evaluation.ranking.pair_kernels import HALF, SIGN, count_high, count_low
from dmcf_jax.evaluation.ranking.tile_grid import TileGrid
from dmcf_jax.runtime.devices import by_row, replicated, shard

IN_FLIGHT = 4  # tiles that are dispatched and not yet counted
LARGEST_COUNT = 2**31 - 1


def scores_of(keys: Int[np.ndarray, " n"]) -> Float32[np.ndarray, " n"]:
    """Return the scores that have these keys, see `pair_kernels.order_keys`."""
    keys = np.asarray(keys, np.int64)
    bits = np.where(keys >= SIGN, keys - SIGN, 2 * SIGN - 1 - keys)
    return bits.astype(np.uint32).view(np.float32)


class PairHistogram:
    """Counts pairs of a query and a gallery image by score.

    The score is minus the distance. Pairs that the sides' rule ignores are not counted. Devices
    share the queries of each block and all hold the gallery.
    """

    def __init__(
        self,
        tiles: Tiles,
        sides: QueryGallery,
        grid: TileGrid,
        devices: Mesh,
        offset: Float[np.ndarray, " q"] | None = None,
    ):
        """Put the gallery's identities and cameras on the devices.

        Args:
            devices: of this process.
            offset: added to a query's distances, in the order the queries were given.
        """
        self._tiles, self._sides, self._grid, self._devices = tiles, sides, grid, devices
        self._rows, self._copied = by_row(devices), replicated(devices)
        number = len(sides.query_order)
        offset = np.zeros(number) if offset is None else offset[sides.query_order]
        self._offset = offset.astype(np.float32)
        padded = [
            grid.gallery.padded(values, fill)
            for values, fill in (
                (sides.gallery_identity, sides.identities),
                (sides.gallery_camera, -1),
            )
        ]
        starts = [grid.gallery.start(j) for j in range(grid.gallery.number)]
        self._gallery = [
            [shard(values[start : start + grid.gallery.size], self._copied) for values in padded]
            for start in starts
        ]

    def by_high_half(self) -> tuple[Int64[np.ndarray, "2 keys"], Float32[np.ndarray, "q 2"]]:
        """Return counts by high half, of different people and of the same, and the best scores.

        The best are each query's highest scores with another person and with its own, in the
        order the queries were given; -infinity where there is no such pair.
        """
        program = count_high(self._devices, self._sides.ignore)
        counts = _Counts((2, HALF), self._devices.size, self._rows)
        best = np.empty((len(self._offset), 2), np.float32)
        for i in range(self._grid.queries.number):
            real = self._grid.queries.real(i)
            found = np.full((self._grid.queries.size, 2), -np.inf, np.float32)
            found = shard(found, self._rows)
            for tile in self._block(i):
                counts.on_device, found = program(counts.make_room(self._grid), found, *tile)
            best[self._sides.query_order[real]] = np.asarray(found)[: real.stop - real.start]
        return counts.total(), best

    def by_low_half(self, high: Sequence[int], slots: int) -> Int64[np.ndarray, "s 2 keys"]:
        """Return counts by low half of the scores with each of the `high` halves.

        Args:
            high: distinct values, at most `slots`.
            slots: how many to compile for.
        """
        program = count_low(self._devices, self._sides.ignore)
        counts = _Counts((slots, 2, HALF), self._devices.size, self._rows)
        table = np.full(HALF, slots, np.int32)
        table[list(high)] = np.arange(len(high))
        table = shard(table, self._copied)
        for i in range(self._grid.queries.number):
            for tile in self._block(i):
                counts.on_device = program(counts.make_room(self._grid), table, *tile)
        return counts.total()[: len(high)]

    def _block(self, i: int) -> Iterator[tuple[Array, ...]]:
        """Yield the tiles of a block of queries, each with what the programs need beside it."""
        real, size, sides = self._grid.queries.real(i), self._grid.queries.size, self._sides
        mask = np.arange(size) < real.stop - real.start
        padded = [
            np.pad(values[real], (0, size - len(values[real])))
            for values in (self._offset, sides.query_identity, sides.query_camera)
        ]
        queries = [shard(values, self._rows) for values in (*padded, mask)]
        padding = shard(np.int32(sides.identities), self._copied)
        for j, gallery in enumerate(self._gallery):
            distances = shard(self._tiles.tile(i, j), self._rows)
            yield distances, *queries, *gallery, padding
            if j % IN_FLIGHT == IN_FLIGHT - 1:
                distances.block_until_ready()


class _Counts:
    """Counts in int32 on each device, and in int64 on the host."""

    def __init__(self, shape: tuple[int, ...], devices: int, sharding: NamedSharding):
        self._shape, self._sharding = (devices, *shape), sharding
        self._host, self._pending = np.zeros(shape, np.int64), 0
        self.on_device = self._zeros()

    def make_room(self, grid: TileGrid) -> Array:
        """Return the counts on the devices, which can take one more tile."""
        pairs = grid.queries.size * grid.gallery.size
        if self._pending + pairs > LARGEST_COUNT:
            self._host, self._pending = self.total(), 0
            self.on_device = self._zeros()
        self._pending += pairs
        return self.on_device

    def total(self) -> np.ndarray:
        return self._host + np.asarray(self.on_device).sum(axis=0, dtype=np.int64)

    def _zeros(self) -> Array:
        return shard(np.zeros(self._shape, np.int32), self._sharding)
