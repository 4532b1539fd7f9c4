"""What every measurement shares: timed calls, the device's own peak, and one form of report."""

import resource
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

# Side of the square product whose speed stands for the device's peak.
_PEAK_SIDE = {"cpu": 2048}
_PEAK_SIDE_ELSEWHERE = 8192


def seconds_of(call: Callable[[], Any], repeats: int, warm_up: int = 2) -> list[float]:
    """Return the seconds of `repeats` calls, each waited for, after `warm_up` unmeasured ones."""
    found = []
    for _ in range(warm_up + repeats):
        start = time.perf_counter()
        jax.block_until_ready(call())
        found.append(time.perf_counter() - start)
    return found[warm_up:]


def report(
    what: str,
    seconds: list[float],
    *,
    images: int,
    dtype: str,
    flops: float | None = None,
    peak: float | None = None,
    **more,
) -> dict:
    """Return the figures of one measurement, ready for JSON.

    Args:
        seconds: of each repetition.
        images: worked on in one repetition.
        flops: of the model in one repetition; with them goes their share of the matrix peak.
        peak: FLOP/s of one device's matrix products, None to measure them now.
    """
    median = statistics.median(seconds)
    return {
        "what": what,
        "seconds": median,
        "seconds_min": min(seconds),
        "seconds_max": max(seconds),
        "repeats": len(seconds),
        "images_per_second": images / median,
        "images": images,
        "device": jax.devices()[0].device_kind,
        "devices": jax.device_count(),
        "dtype": dtype,
        "jax": jax.__version__,
        **(_speed(flops, median, peak or matrix_peak(dtype)) if flops else {}),
        "peak_memory_bytes": peak_memory(),
        **more,
    }


def _speed(flops, seconds, peak_of_one):
    peak = peak_of_one * jax.device_count()
    return {
        "model_flops": flops,
        "model_flops_per_second": flops / seconds,
        "matrix_peak_flops_per_second": peak,
        "fraction_of_matrix_peak": flops / seconds / peak,
    }


def matrix_peak(dtype: str, side: int | None = None) -> float:
    """Return the FLOP/s of a large square product in `dtype` on one device, measured now.

    Args:
        side: of the matrices; by default one that is large enough.
    """
    side = side or _PEAK_SIDE.get(jax.default_backend(), _PEAK_SIDE_ELSEWHERE)
    # Enough products in one dispatch that starting them costs nothing.
    rounds = 4 if jax.default_backend() == "cpu" else 32
    matrix = jnp.full((side, side), 1.0 / side, dtype)

    @jax.jit
    def chain(a):
        return jax.lax.fori_loop(0, rounds, lambda _, x: x @ a, a)

    return rounds * 2.0 * side**3 / min(seconds_of(lambda: chain(matrix), 5))


def copy_bandwidth() -> float:
    """Return the bytes a second that a large array's copies read and write on one device."""
    on_cpu = jax.default_backend() == "cpu"
    count, rounds = (2**24, 4) if on_cpu else (2**28, 32)
    array = jnp.ones(count, jnp.float32)

    @jax.jit
    def chain(x):
        return jax.lax.fori_loop(0, rounds, lambda _, x: -x, x)

    return 2.0 * rounds * array.nbytes / min(seconds_of(lambda: chain(array), 5))


def peak_memory() -> int:
    """Return the most bytes used so far: of the first device, or of this process on a CPU."""
    statistics_of_device = jax.devices()[0].memory_stats() or {}
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return statistics_of_device.get("peak_bytes_in_use", 1024 * kilobytes)


def forward_flops(function: Callable, *arguments) -> float:
    """Return the FLOPs of a function as written, before the compiler changes it."""
    return jax.jit(function).lower(*arguments).cost_analysis()["flops"]
