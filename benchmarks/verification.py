"""How fast and in how much memory all pairs of many embeddings are verified."""

import time

import jax
import numpy as np

from benchmarks.measure import peak_memory, seconds_of
from dmcf_jax.evaluation.verification import Verification, verify_queries

QUERIES, GALLERY, WIDTH, PEOPLE = 10_000, 100_000, 256, 5_000


def benchmark_verification(
    repeats: int = 1, queries: int = QUERIES, gallery: int = GALLERY
) -> dict:
    """Measure and return the figures; prints nothing.

    `seconds`: median of `repeats` verifications of 10,000 queries and 100,000 gallery embeddings
        of 256 numbers, of 5,000 people, after one of a hundredth of the queries.
    `core_seconds`: worked by all cores in one, which other programs of the machine hardly change.
    `peak_memory_gb`: of the whole process on a CPU, of the first device elsewhere.
    """
    draw = np.random.default_rng(0)
    sides = [_unit(draw, number) for number in (queries, gallery)]
    ids = [draw.integers(0, PEOPLE, number) for number in (queries, gallery)]
    found: list[Verification] = []
    few = max(1, queries // 100)
    verify_queries(sides[0][:few], sides[1], ids[0][:few], ids[1])
    worked = time.process_time()
    times = seconds_of(lambda: found.append(verify_queries(*sides, *ids)), repeats, warm_up=0)
    worked = (time.process_time() - worked) / repeats
    curve, pairs = found[0].roc, queries * gallery
    seconds = float(np.median(times))
    return {
        "what": "verification",
        "seconds": seconds,
        "core_seconds": worked,
        "images_per_second": gallery / seconds,
        "pairs_per_second": pairs / seconds,
        "device": jax.devices()[0].device_kind,
        "queries": queries,
        "gallery": gallery,
        "numbers": WIDTH,
        "repeats": repeats,
        "peak_memory_gb": peak_memory() / 1e9,
        "pairs_counted": curve.same + curve.different,
        "eer": curve.eer,
    }


def _unit(draw: np.random.Generator, rows: int) -> np.ndarray:
    vectors = draw.standard_normal((rows, WIDTH), np.float32)
    vectors /= np.sqrt(np.einsum("nd,nd->n", vectors, vectors))[:, None]
    return vectors
