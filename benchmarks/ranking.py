"""How fast the ranking is, against the field's usual way and against the matrix product alone."""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import jax
import numpy as np

from benchmarks.literal_ranking import literal_evaluation
from benchmarks.sysu_like import SysuLike, random_permutations, sysu_like
from dmcf_jax.evaluation.evaluate_protocol import evaluate_protocols
from dmcf_jax.evaluation.protocols import find_protocol, list_protocols, queries_and_gallery
from dmcf_jax.evaluation.ranking.ranking import rank_queries, summarise

WIDTH = 512


def benchmark_ranking(repeats: int = 5, memory: bool = True) -> dict:
    """Measure and return the figures; prints nothing.

    `cases`: dmcf_jax and the literal evaluator, matrix products included in both, and their ratio;
        the same with the literal evaluator's inner loop vectorised.
    `product`: 3,368 x 15,913 x 512 against NumPy's and XLA's product alone, in turn.
    `sysu_mm01_all_protocols`: eight protocols x ten trials from embeddings of 2,048 numbers.
    `peak_memory_gib`: a process of its own that scores 10,000 x 100,000 x 512.
    Seconds are medians of `repeats` (the literal evaluator runs once), after a first call.
    """
    cases = {
        "sysu_mm01_single": _case(*_sysu("single"), repeats),
        "sysu_mm01_multi": _case(*_sysu("multi"), repeats),
        "regdb": _case(_unit(2060), _unit(2060, 1), _labels(206, 10), {}, repeats),
    }
    first = cases["sysu_mm01_single"]
    return {
        "what": "ranking",
        "seconds": first["seconds"],
        "images_per_second": first["queries"] / first["seconds"],
        "device": str(jax.devices()[0]),
        "cases": cases,
        "product": _against_product(repeats),
        "sysu_mm01_all_protocols": all_protocols(),
        **({"peak_memory_gib": _peak_memory()} if memory else {}),
    }


def _case(queries, gallery, labels, rules, repeats):
    def ours():
        return summarise(rank_queries(queries, gallery, *labels, **rules))

    metrics = ours()
    seconds = _median(ours, repeats)
    literal, (curve, precision, penalty) = _timed(
        lambda: literal_evaluation(queries, gallery, *labels, **rules)
    )
    vectorised, _ = _timed(
        lambda: literal_evaluation(queries, gallery, *labels, **rules, vectorised=True)
    )
    differences = np.abs(metrics.cmc - curve).max(), metrics.mAP - precision, metrics.mINP - penalty
    return {
        "queries": len(queries),
        "gallery": len(gallery),
        "seconds": seconds,
        "seconds_literal": literal,
        "times_faster": literal / seconds,
        "seconds_literal_vectorised": vectorised,
        "times_faster_than_vectorised": vectorised / seconds,
        "largest_difference": float(np.abs(differences).max()),
    }


def _sysu(shots):
    split = sysu_like()
    protocol = find_protocol(f"sysu_mm01/all/{shots}/python-seeded")
    sides = queries_and_gallery(protocol, split, 0)
    embeddings = _unit(len(split.path))
    labels = [values[rows] for values in (split.identity, split.camera) for rows in sides]
    rules = {"ignore": protocol.ignore, "cmc": protocol.cmc}
    return *(embeddings[rows] for rows in sides), labels, rules


def _against_product(repeats):
    generator = np.random.default_rng(0)
    queries, gallery = _unit(3368), _unit(15913, 1)
    labels = np.arange(3368) % 750, generator.integers(0, 750, 15913)
    on_device = jax.device_put(queries), jax.device_put(gallery)
    product = jax.jit(lambda q, g: jax.numpy.matmul(q, g.T, precision="highest"))
    ways = {
        "seconds": lambda: summarise(rank_queries(queries, gallery, *labels)),
        "seconds_numpy_product": lambda: queries @ gallery.T,
        "seconds_xla_product": lambda: product(*on_device).block_until_ready(),
    }
    for way in ways.values():
        way()
    # In turn, so that whatever else the machine does falls on all alike.
    times = [{name: _seconds(way) for name, way in ways.items()} for _ in range(repeats)]
    medians = {name: statistics.median(t[name] for t in times) for name in ways}
    return {
        **medians,
        "over_numpy_product": medians["seconds"] / medians["seconds_numpy_product"],
        "over_xla_product": medians["seconds"] / medians["seconds_xla_product"],
    }


def all_protocols(width: int = 2048) -> dict[str, float]:
    """Return the seconds of all SYSU-MM01 protocols from embeddings of `width` numbers."""
    split: SysuLike = sysu_like()
    protocols = [p for p in list_protocols() if p.dataset == "sysu_mm01"]
    embeddings = np.random.default_rng(0).standard_normal((len(split.path), width))
    embeddings = embeddings.astype(np.float32)
    permutations = random_permutations(split)

    def run():
        evaluate_protocols(protocols, embeddings, split, permutations=permutations)

    return {"seconds_first_call": _seconds(run), "seconds": _seconds(run)}


def _peak_memory():
    """Return GiB of a fresh process that scores 10,000 x 100,000 x 512."""
    command = "from benchmarks.ranking import score_large; print(score_large())"
    done = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def score_large(queries: int = 10_000, gallery: int = 100_000, people: int = 5_000) -> float:
    """Score random embeddings and return this process's peak memory in GiB (Linux)."""
    import resource

    generator = np.random.default_rng(0)
    sides = [generator.standard_normal((n, WIDTH), dtype=np.float32) for n in (queries, gallery)]
    labels = [generator.integers(0, people, n) for n in (queries, gallery)]
    summarise(rank_queries(*sides, *labels, cmc="identity"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def _unit(n, seed=0):
    points = np.random.default_rng(seed).standard_normal((n, WIDTH), dtype=np.float32)
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def _labels(people, images):
    ids = np.repeat(np.arange(people), images)
    return ids, ids


def _median(call: Callable[[], object], repeats: int) -> float:
    return statistics.median(_seconds(call) for _ in range(repeats))


def _seconds(call):
    return _timed(call)[0]


def _timed(call):
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result
