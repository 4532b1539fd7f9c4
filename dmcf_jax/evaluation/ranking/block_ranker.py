"""One pass over the gallery for each block of queries: what `ranking.py` averages.

Queries and gallery are put in order of identity. The relevant images of a block of queries are
then in a few neighbouring gallery blocks, which are looked at first; their tiles are kept, so that
almost nothing is computed twice.

Every device has its share of a block's queries and the entire gallery; no distance leaves the
device that computed it.
"""

import functools

import numpy as np
from jax.sharding import Mesh, NamedSharding
from jaxtyping import Array, Bool, Float, Int, Int32

from dmcf_jax.errors import UserError
from dmcf_jax.evaluation.ranking import tile_kernels
from dmcf_jax.evaluation.ranking.checks import check_choice
from dmcf_jax.evaluation.ranking.distances import Tiles
from dmcf_jax.evaluation.ranking.tile_grid import RowBlocks, TileGrid
from dmcf_jax.runtime.devices import by_column, by_row, gather_to_host, replicated, shard

KEPT_BYTES = 2**28
IN_FLIGHT = 16


class QueryGallery:
    """Queries and gallery in order of identity.

    Attributes:
        ignore: one of `tile_kernels.IGNORE_RULES`.
        query_order, gallery_order: rows of the input in order of identity.
        identities: number of the gallery's identities, which are renumbered from 0.
        query_identity, gallery_identity: new numbers; -1 of a query that the gallery has not.
        first, count: of each query, its relevant images' first row in `gallery_order` and how
            many there are.
        query_camera, gallery_camera: 0 where none were given.
    """

    def __init__(
        self,
        query_ids: Int[np.ndarray, " q"],
        gallery_ids: Int[np.ndarray, " g"],
        query_cameras: Int[np.ndarray, " q"] | None,
        gallery_cameras: Int[np.ndarray, " g"] | None,
        ignore: str,
    ):
        check_choice("ignore", ignore, tile_kernels.IGNORE_RULES)
        if len(query_ids) == 0 or len(gallery_ids) == 0:
            raise UserError(
                f"{len(query_ids)} queries, {len(gallery_ids)} gallery images: need both",
                about="gallery" if len(query_ids) else "query",
            )
        if ignore != "none" and (query_cameras is None or gallery_cameras is None):
            raise UserError(
                f"ignore={ignore!r} needs the cameras of query and gallery", about="cameras"
            )
        self.ignore = ignore
        self.query_order = np.argsort(query_ids, kind="stable")
        self.gallery_order = np.argsort(gallery_ids, kind="stable")
        ids, counts = np.unique(gallery_ids, return_counts=True)
        self.identities = len(ids)
        query_ids = query_ids[self.query_order]
        place = np.minimum(np.searchsorted(ids, query_ids), len(ids) - 1)
        known = ids[place] == query_ids
        self.query_identity = np.where(known, place, -1).astype(np.int32)
        self.gallery_identity = np.repeat(np.arange(len(ids), dtype=np.int32), counts)
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
        self.first = np.where(known, starts[place], 0).astype(np.int32)
        self.count = np.where(known, counts[place], 0).astype(np.int32)
        self.query_camera = _cameras(query_cameras, self.query_order)
        self.gallery_camera = _cameras(gallery_cameras, self.gallery_order)


def _cameras(cameras: Int[np.ndarray, " n"] | None, order: np.ndarray) -> Int32[np.ndarray, " n"]:
    return np.zeros(len(order), np.int32) if cameras is None else cameras[order].astype(np.int32)


@functools.cache
def _keep_freed_memory() -> None:
    # glibc returns freed blocks above a threshold to the system, and the pages of each tile are
    # then mapped and zeroed again, which takes a good part of the ranking's time. The threshold
    # rises to the largest block (up to 32 MB) that a process has ever freed.
    np.empty(31 * 2**20, np.uint8)


class BlockRanker:
    """One pass over the gallery for each block of queries, its rows shared by `devices`."""

    def __init__(
        self, tiles: Tiles, sides: QueryGallery, grid: TileGrid, by_identity: bool, devices: Mesh
    ):
        """Put the gallery's identities and cameras on the devices.

        Args:
            by_identity: find the right identity's rank among distinct identities too.
        """
        _keep_freed_memory()
        self._rows, self._copied = by_row(devices), replicated(devices)
        self._columns = by_column(devices)
        self._tiles, self._sides, self._by_identity = tiles, sides, by_identity
        self._queries, self._gallery = grid
        padded = self._gallery.padded(sides.gallery_identity, sides.identities)
        self._identity = [self._part(padded, j) for j in range(self._gallery.number)]
        padded = self._gallery.padded(sides.gallery_camera, -1)
        self._camera = [self._part(padded, j) for j in range(self._gallery.number)]
        self._keep = max(1, KEPT_BYTES // (4 * self._queries.size * self._gallery.size))

    def _part(self, padded: np.ndarray, j: int) -> Array:
        start = self._gallery.start(j)
        return shard(padded[start : start + self._gallery.size], self._copied)

    def rank_block(
        self, i: int
    ) -> tuple[Int32[np.ndarray, "q p"], Bool[np.ndarray, "q p"], Int32[np.ndarray, " q"] | None]:
        """Return what was found for the queries of block `i`.

        Returns:
            For each positive (relevant image), how many negatives have a distance at most its own
            `[q, p]`; whether there is such a positive `[q, p]`; the right identity's rank `[q]`,
            or None.
        """
        block = _QueryBlock(self._sides, self._queries, i, self._rows)
        positives, kept = self._find_positives(i, block)
        limits = tile_kernels.thresholds(positives)
        counts = shard(np.zeros(positives.shape, np.int32), self._rows)
        nearest = self._no_identities() if self._by_identity else None
        for j in range(self._gallery.number):
            negatives = kept.pop(j) if j in kept else self._negatives(i, j, block)
            counts = tile_kernels.count_negatives(counts, negatives, limits)
            if self._by_identity:
                nearest = tile_kernels.update_nearest(nearest, negatives, self._identity[j])
            self._wait(j, counts)
        identity_rank = None
        if self._by_identity:
            ranks = tile_kernels.rank_identities(nearest, positives)
            identity_rank = gather_to_host(ranks)[: block.real]
        found = np.isfinite(gather_to_host(positives))
        return gather_to_host(counts)[: block.real], found[: block.real], identity_rank

    def _find_positives(
        self, i: int, block: "_QueryBlock"
    ) -> tuple[Float[Array, "q p"], dict[int, Array]]:
        """Return the positives' distances, and tiles of negatives that were made on the way."""
        nothing = np.full((self._queries.size, block.most_positives), np.inf, np.float32)
        positives = shard(nothing, self._rows)
        kept = {}
        for j in block.tiles_with_positives(self._gallery):
            distances = self._visible(i, j, block)
            first = shard(block.first - np.int32(self._gallery.start(j)), self._rows)
            positives = tile_kernels.gather_positives(positives, distances, first, block.count)
            if len(kept) < self._keep:
                kept[j] = tile_kernels.hide_own(distances, block.identity, self._identity[j])
            self._wait(j, positives)
        return positives, kept

    def _no_identities(self) -> Float[Array, "k q"]:
        shape = (self._sides.identities + 1, self._queries.size)
        return shard(np.full(shape, np.inf, np.float32), self._columns)

    def _wait(self, j: int, result: Array) -> None:
        # Tiles that are dispatched but not yet used take memory: limit their number.
        if j % IN_FLIGHT == IN_FLIGHT - 1:
            result.block_until_ready()

    def _visible(self, i: int, j: int, block: "_QueryBlock") -> Float[Array, "q g"]:
        distances = shard(self._tiles.tile(i, j), self._rows)
        real = self._gallery.real(j)
        if self._sides.ignore == "none" and real.stop - real.start == self._gallery.size:
            return distances
        return tile_kernels.hide_ignored(
            distances,
            block.identity,
            block.camera,
            self._identity[j],
            self._camera[j],
            np.int32(self._sides.identities),
            self._sides.ignore,
        )

    def _negatives(self, i: int, j: int, block: "_QueryBlock") -> Float[Array, "q g"]:
        distances = self._visible(i, j, block)
        if j not in block.tiles_with_positives(self._gallery):
            return distances
        return tile_kernels.hide_own(distances, block.identity, self._identity[j])


class _QueryBlock:
    """The rows of one block of queries, on the devices and padded."""

    def __init__(self, sides: QueryGallery, blocks: RowBlocks, i: int, sharding: NamedSharding):
        rows = blocks.real(i)
        self.real = rows.stop - rows.start

        def padded(values: np.ndarray, fill: int) -> np.ndarray:
            return np.concatenate([values[rows], np.full(blocks.size - self.real, fill, np.int32)])

        self.identity = shard(padded(sides.query_identity, -1), sharding)
        self.camera = shard(padded(sides.query_camera, -1), sharding)
        self.first = padded(sides.first, 0)
        self._count = padded(sides.count, 0)
        self.count = shard(self._count, sharding)
        self.most_positives = _padded_positives(int(self._count.max()))

    def tiles_with_positives(self, gallery: RowBlocks) -> range:
        """Return the gallery blocks that hold relevant images: a range, for ids are in order."""
        has = self._count > 0
        if not has.any():
            return range(0)
        first = self.first[has].min() // gallery.size
        last = (self.first[has] + self._count[has] - 1).max() // gallery.size
        return range(int(first), int(last) + 1)


def _padded_positives(most: int) -> int:
    """Round up to one of few sizes, so that few programs are compiled."""
    if most <= 8:
        return 1 << max(0, most - 1).bit_length()
    step = 4 if most <= tile_kernels.POSITIVES_AT_ONCE else tile_kernels.POSITIVES_AT_ONCE
    return -(-most // step) * step
