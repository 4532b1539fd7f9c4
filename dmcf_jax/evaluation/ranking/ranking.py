"""Exact CMC, mAP and mINP without sorting the gallery and without the complete distance matrix.

For one query with relevant images at distances p_1 <= ... <= p_P, the k-th of them has rank
`r_k = k + #{negatives at most as far as p_k}`, and

    AP = mean over k of k / r_k,    INP = P / r_P,    first correct rank = r_1.

"At most" is the tie rule: a negative at an equal distance ranks before the relevant image; among
relevant images the order does not matter. The identity-level rank, for protocols that keep
only the first image of each identity in the ranked list, is one more than the number of other
identities whose nearest image is at most as far as p_1.

Distances are float32 at the highest precision; a rank is a count of comparisons, made on the
devices block by block; the averages are taken in float64 on the host, from integer ranks, in the
order of the queries. So the results are exactly the same for every block size and every number
of devices.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
from jax.sharding import Mesh
from jaxtyping import Bool, Float, Int, Int32, Shaped

from dmcf_jax.errors import UserError
from dmcf_jax.evaluation.ranking.block_ranker import BlockRanker, QueryGallery
from dmcf_jax.evaluation.ranking.checks import check_choice, matrix_problems, rankable_squares
from dmcf_jax.evaluation.ranking.distances import EXACT_TYPES, EmbeddingTiles, MatrixTiles, Tiles
from dmcf_jax.evaluation.ranking.reranking import KReciprocal, RerankedTiles
from dmcf_jax.evaluation.ranking.tile_grid import TileGrid, plan_blocks
from dmcf_jax.runtime.devices import ranking_mesh

# Elements of a block of matrix rows that are sorted at once, as MatrixTiles does.
SORTED_ELEMENTS = 2**25
LONGEST_CURVE = 10**6
CMC_KINDS = ("image", "identity")


@dataclasses.dataclass(frozen=True)
class RankedQueries:
    """What the ranking found for each query, in the order the queries were given.

    first_rank: rank of the first correct image, or of the right identity with `cmc='identity'`;
        from 1; 0 where the query is not valid.
    average_precision, inverse_negative_penalty: in (0, 1]; 0 where the query is not valid.
    valid: whether the query has a relevant image left in the gallery.
    gallery: number of gallery images.
    """

    first_rank: Int32[np.ndarray, " q"]
    average_precision: Float[np.ndarray, " q"]
    inverse_negative_penalty: Float[np.ndarray, " q"]
    valid: Bool[np.ndarray, " q"]
    gallery: int


@dataclasses.dataclass(frozen=True)
class Metrics:
    """Averages over the valid queries, as fractions. `cmc[k - 1]` is the rank-k accuracy."""

    cmc: Float[np.ndarray, " ranks"]
    mAP: float
    mINP: float
    queries: int
    valid_queries: int
    gallery: int

    def rank(self, k: int) -> float:
        """Return the rank-`k` accuracy; beyond the curve's end its last value."""
        return float(self.cmc[min(k, len(self.cmc)) - 1])


def rank_queries(
    query_embeddings: Float[np.ndarray, "q d"],
    gallery_embeddings: Float[np.ndarray, "g d"],
    query_ids: Int[np.ndarray, " q"],
    gallery_ids: Int[np.ndarray, " g"],
    query_cameras: Int[np.ndarray, " q"] | None = None,
    gallery_cameras: Int[np.ndarray, " g"] | None = None,
    *,
    ignore: str = "none",
    cmc: str = "image",
    metric: str = "cosine",
    block: tuple[int, int] | None = None,
    reranking: KReciprocal | None = None,
    devices: Mesh | None = None,
) -> RankedQueries:
    """Rank the gallery for every query.

    Args:
        query_embeddings, gallery_embeddings: any float type, any length; compared in float32.
        query_ids, gallery_ids: integers; equal means the same person.
        query_cameras, gallery_cameras: needed by the ignore rules other than 'none'.
        ignore: 'none'; 'cam3-cam2' (SYSU-MM01: queries of camera 3 skip camera 2's images);
            'same-identity-same-camera' (LLCM).
        cmc: 'image' (rank of the first correct image) or 'identity' (rank of the right identity
            among distinct identities).
        metric: 'cosine' or 'euclidean'.
        block: (queries, gallery images) of a tile; memory is about four tiles of float32. The
            result does not depend on it.
        reranking: rank by the k-reciprocal distance; see `reranking.py`.
        devices: share the queries of each block; all devices by default. The result does not
            depend on them.

    Raises:
        UserError: embeddings with NaN, infinity or (cosine) length 0, with their rows.
    """
    squares = rankable_squares(query_embeddings, gallery_embeddings, metric)
    devices = devices or ranking_mesh()

    def source(query_order: np.ndarray, gallery_order: np.ndarray, grid: TileGrid) -> Tiles:
        common = query_embeddings, gallery_embeddings, query_order, gallery_order, grid
        if reranking is not None:
            return RerankedTiles(*common, reranking, metric)
        return EmbeddingTiles(*common, squares, metric, devices)

    sides = QueryGallery(query_ids, gallery_ids, query_cameras, gallery_cameras, ignore)
    return _rank(source, sides, cmc, block, devices)


def rank_distances(
    distances: Shaped[np.ndarray, "rows columns"],
    query_ids: Int[np.ndarray, " q"],
    gallery_ids: Int[np.ndarray, " g"],
    query_cameras: Int[np.ndarray, " q"] | None = None,
    gallery_cameras: Int[np.ndarray, " g"] | None = None,
    *,
    rows: Int[np.ndarray, " q"] | None = None,
    columns: Int[np.ndarray, " g"] | None = None,
    ignore: str = "none",
    cmc: str = "image",
    block: tuple[int, int] | None = None,
    check: bool = True,
    devices: Mesh | None = None,
) -> RankedQueries:
    """Rank by a matrix of distances (smaller is nearer), which may be memory-mapped.

    The values of every real type are compared exactly, without rounding to float32.

    Args:
        rows, columns: of `distances`, to rank only a part of it; all by default.
        check: look for NaN and infinity first.
        others: see `rank_queries`.

    Raises:
        UserError: with `check`, rows of distances with NaN or infinity.
    """
    if block is None and distances.dtype not in EXACT_TYPES:
        block = (max(8, SORTED_ELEMENTS // distances.shape[1]), 4096)
    rows = np.arange(distances.shape[0]) if rows is None else rows
    columns = np.arange(distances.shape[1]) if columns is None else columns
    if check and (problems := matrix_problems(distances)):
        raise UserError.listing("distances that cannot be ranked:", problems)

    def source(query_order: np.ndarray, gallery_order: np.ndarray, grid: TileGrid) -> Tiles:
        return MatrixTiles(distances, rows[query_order], columns[gallery_order], grid)

    sides = QueryGallery(query_ids, gallery_ids, query_cameras, gallery_cameras, ignore)
    return _rank(source, sides, cmc, block, devices or ranking_mesh())


def summarise(ranked: RankedQueries, max_rank: int = 20) -> Metrics:
    """Average over the valid queries, in float64.

    Every valid query is found by the end of its list, so where `max_rank` goes beyond the
    gallery's images or identities the curve keeps its last value.

    Raises:
        UserError: no query is valid, or `max_rank` is out of range.
    """
    if not 1 <= max_rank <= LONGEST_CURVE:
        raise UserError(
            f"max_rank={max_rank}: must be between 1 and {LONGEST_CURVE}", about="max_rank"
        )
    valid = int(ranked.valid.sum())
    if valid == 0:
        raise UserError(
            f"none of the {len(ranked.valid)} queries has a relevant image in the gallery of "
            f"{ranked.gallery}: check that query and gallery share identities, and the cameras "
            "that the protocol ignores",
            about="query",
        )
    ranks = np.minimum(ranked.first_rank[ranked.valid], max_rank + 1)
    hits = np.bincount(ranks, minlength=max_rank + 2)[1 : max_rank + 1]
    return Metrics(
        cmc=np.cumsum(hits) / valid,
        mAP=float(ranked.average_precision[ranked.valid].mean()),
        mINP=float(ranked.inverse_negative_penalty[ranked.valid].mean()),
        queries=len(ranked.valid),
        valid_queries=valid,
        gallery=ranked.gallery,
    )


def _rank(
    source: Callable[[np.ndarray, np.ndarray, TileGrid], Tiles],
    sides: QueryGallery,
    cmc: str,
    block: tuple[int, int] | None,
    devices: Mesh,
) -> RankedQueries:
    check_choice("cmc", cmc, CMC_KINDS)
    grid = plan_blocks(len(sides.query_order), len(sides.gallery_order), block, devices.size)
    tiles = source(sides.query_order, sides.gallery_order, grid)
    ranker = BlockRanker(tiles, sides, grid, cmc == "identity", devices)
    parts = [_scores(*ranker.rank_block(i)) for i in range(grid.queries.number)]
    first, precision, penalty, valid = (np.concatenate(part) for part in zip(*parts, strict=True))
    back = np.argsort(sides.query_order)
    return RankedQueries(
        first_rank=first[back].astype(np.int32),
        average_precision=precision[back],
        inverse_negative_penalty=penalty[back],
        valid=valid[back],
        gallery=len(sides.gallery_order),
    )


def _scores(
    negatives: Int32[np.ndarray, "q p"],
    found: Bool[np.ndarray, "q p"],
    identity_rank: Int32[np.ndarray, " q"] | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return first rank, AP, INP, validity `[q]` from the negatives before each positive."""
    place = np.arange(1, negatives.shape[1] + 1)
    number = found.sum(axis=1)
    beyond = np.iinfo(np.int32).max
    ranks = np.sort(np.where(found, negatives, beyond), axis=1).astype(np.int64) + place
    # A running sum adds from the left, so that padding cannot change the last bit.
    precision = np.where(place <= number[:, None], place / ranks, 0.0).cumsum(axis=1)[:, -1]
    valid = number > 0
    last = np.take_along_axis(ranks, np.maximum(number - 1, 0)[:, None], axis=1)[:, 0]
    first = ranks[:, 0] if identity_rank is None else identity_rank
    return (
        np.where(valid, first, 0),
        precision / np.maximum(number, 1),
        np.where(valid, number / last, 0.0),
        valid,
    )
