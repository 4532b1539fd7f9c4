"""Verification: do two images show one person? And the same scores used to identify or to refuse.

Every pair of a query and a gallery image of a trial counts once, but for the pairs that the
protocol ignores: 'cam3-cam2' leaves out all pairs of a query of camera 3 and an image of camera 2,
'same-identity-same-camera' those of one person in one camera. Pairs of one person are genuine (or
mated) comparisons, all others impostor (non-mated) ones. Queries without a relevant image count
too: in pairs of different people and in open-set identification.

Scores are compared in float32: cosine; minus the squared Euclidean distance; or minus a given
distance, which is rounded to float32 first. Nothing is sampled, sorted or approximated; memory
does not grow with the number of pairs.
"""

import dataclasses

import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float, Int, Shaped

from dmcf_jax.evaluation.open_set import OpenSet, open_set
from dmcf_jax.evaluation.ranking.block_ranker import QueryGallery
from dmcf_jax.evaluation.ranking.checks import rankable_squares
from dmcf_jax.evaluation.ranking.distances import EmbeddingTiles, MatrixTiles, Tiles
from dmcf_jax.evaluation.ranking.pair_histogram import PairHistogram
from dmcf_jax.evaluation.ranking.tile_grid import TileGrid, plan_blocks
from dmcf_jax.evaluation.roc import Roc, roc
from dmcf_jax.runtime.devices import ranking_mesh

RATES = (1e-1, 1e-2, 1e-3, 1e-4)  # FPRs that tables show
FARS = (1e-1, 1e-2, 1e-3)  # of open-set identification, which has fewer searches than pairs
# FPRs of the curve: five in each power of ten.
CURVE = tuple(float(f"{10 ** (-step / 5):.3g}") for step in range(1, 31))


@dataclasses.dataclass(frozen=True)
class Verification:
    """What scores of pairs can decide: the curve over all pairs, and identification."""

    roc: Roc
    open_set: OpenSet


def verify_queries(
    query_embeddings: Float[np.ndarray, "q d"],
    gallery_embeddings: Float[np.ndarray, "g d"],
    query_ids: Int[np.ndarray, " q"],
    gallery_ids: Int[np.ndarray, " g"],
    query_cameras: Int[np.ndarray, " q"] | None = None,
    gallery_cameras: Int[np.ndarray, " g"] | None = None,
    *,
    ignore: str = "none",
    metric: str = "cosine",
    block: tuple[int, int] | None = None,
    devices: Mesh | None = None,
) -> Verification:
    """Verify all pairs of embeddings.

    Args:
        block: (queries, gallery images) of a tile; the result does not depend on it.
        devices: of this process, which share the queries; all of it by default.
        others: see `ranking.rank_queries`.

    Raises:
        UserError: embeddings with NaN, infinity or (cosine) length 0, with their rows.
    """
    squares = rankable_squares(query_embeddings, gallery_embeddings, metric)
    devices = devices or ranking_mesh(of_this_process=True)
    sides = QueryGallery(query_ids, gallery_ids, query_cameras, gallery_cameras, ignore)
    grid = plan_blocks(len(query_ids), len(gallery_ids), block, devices.size)
    orders = sides.query_order, sides.gallery_order
    embeddings = query_embeddings, gallery_embeddings
    tiles = EmbeddingTiles(*embeddings, *orders, grid, squares, metric, devices)
    # The tiles of this metric lack each query's own square, by which they differ between queries.
    offset = squares[0] if metric == "euclidean" else None
    return verify_tiles(tiles, sides, grid, devices, offset)


def verify_distances(
    distances: Shaped[np.ndarray, "rows columns"],
    query_ids: Int[np.ndarray, " q"],
    gallery_ids: Int[np.ndarray, " g"],
    query_cameras: Int[np.ndarray, " q"] | None = None,
    gallery_cameras: Int[np.ndarray, " g"] | None = None,
    *,
    rows: Int[np.ndarray, " q"] | None = None,
    columns: Int[np.ndarray, " g"] | None = None,
    ignore: str = "none",
    block: tuple[int, int] | None = None,
    devices: Mesh | None = None,
) -> Verification:
    """Verify all pairs by a matrix of distances (smaller is nearer), possibly memory-mapped.

    Args:
        others: see `ranking.rank_distances` and `verify_queries`.
    """
    devices = devices or ranking_mesh(of_this_process=True)
    rows = np.arange(distances.shape[0]) if rows is None else rows
    columns = np.arange(distances.shape[1]) if columns is None else columns
    sides = QueryGallery(query_ids, gallery_ids, query_cameras, gallery_cameras, ignore)
    grid = plan_blocks(len(query_ids), len(gallery_ids), block, devices.size)
    orders = rows[sides.query_order], columns[sides.gallery_order]
    return verify_tiles(MatrixTiles(distances, *orders, grid, rounded=True), sides, grid, devices)


def verify_tiles(
    tiles: Tiles,
    sides: QueryGallery,
    grid: TileGrid,
    devices: Mesh,
    offset: Float[np.ndarray, " q"] | None = None,
) -> Verification:
    """Verify all pairs of a source of tiles, see `PairHistogram`."""
    pairs = PairHistogram(tiles, sides, grid, devices, offset)
    high, best = pairs.by_high_half()
    return Verification(roc(pairs, high, CURVE), open_set(best, FARS))
