"""How fast the search is, against NumPy's matrix product of the same blocks."""

import resource
import statistics
import time
from collections.abc import Callable

import jax
import numpy as np
from jaxtyping import Float

from dmcf_jax.retrieval.top_k import BLOCK, QUERIES_AT_ONCE, rank

QUERIES, GALLERY, WIDTH, TOP = 2000, 1_000_000, 512, 20
SAMPLE = 20


def benchmark_search(repeats: int = 3, gallery_rows: int = GALLERY, width: int = WIDTH) -> dict:
    """Measure and return the figures; prints nothing.

    `seconds`: median of `repeats` searches of 2,000 queries among `gallery_rows` embeddings of
        `width` numbers, the best 20 of each, each search after one product.
    `product_seconds`: the same blocks multiplied by NumPy and nothing else.
    `times_product`: the median of the ratios, pair by pair.
    `peak_memory_gb`: of the whole process, the gallery (2.05 GB by default) and the check included.
    `equal_to_full_sort`: whether 20 queries got what sorting all scores gives.
    """
    queries, gallery = _unit(QUERIES, width, 0), _unit(gallery_rows, width, 1)
    rank(queries, gallery[: 2 * BLOCK], TOP)  # compiles
    pairs = []
    for _ in range(repeats):
        product, _ = _timed(lambda: _product(queries, gallery))
        search, found = _timed(lambda: rank(queries, gallery, TOP))
        pairs.append((search, product))
    seconds, products = (statistics.median(times) for times in zip(*pairs, strict=True))
    return {
        "what": "search",
        "seconds": seconds,
        "images_per_second": gallery_rows / seconds,
        "device": jax.devices()[0].device_kind,
        "queries": QUERIES,
        "gallery": gallery_rows,
        "numbers": width,
        "top": TOP,
        "repeats": repeats,
        "product_seconds": products,
        "times_product": statistics.median(search / product for search, product in pairs),
        "peak_memory_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9,
        "equal_to_full_sort": _is_full_sort(queries[:SAMPLE], gallery, found),
    }


def _unit(rows: int, width: int, seed: int) -> Float[np.ndarray, "n d"]:
    vectors = np.random.default_rng(seed).random((rows, width), np.float32)
    vectors -= 0.5
    vectors /= np.sqrt(np.einsum("nd,nd->n", vectors, vectors))[:, None]
    return vectors


def _timed(call: Callable) -> tuple[float, object]:
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def _product(queries: np.ndarray, gallery: np.ndarray) -> None:
    tile = np.empty((QUERIES_AT_ONCE, BLOCK), np.float32)
    for start in range(0, len(gallery), BLOCK):
        rows = gallery[start : start + BLOCK]
        np.matmul(queries, rows.T, out=tile[: len(queries), : len(rows)])


def _is_full_sort(queries: np.ndarray, gallery: np.ndarray, found: tuple) -> bool:
    """Compare rows where scores are apart, and scores, with a stable sort of everything."""
    scores = queries @ gallery.T
    order = np.argsort(-scores, axis=1, kind="stable")[:, :TOP]
    expected = np.take_along_axis(scores, order, axis=1)
    close = np.abs(expected - found[0][: len(queries)]).max() < 1e-6
    return bool(close and (order == found[1][: len(queries)]).mean() > 0.99)
