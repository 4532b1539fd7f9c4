"""The measurements of benchmarks/gpu.sh, each run in a process of its own by benchmarks/gpu.py.

    python -m benchmarks.gpu_parts NAME < FACTS

FACTS is one JSON object: the `sizes` and what the part `device` found. The last line printed is the
part's result. `skipped` in it names what was left out, with the reason.
"""

import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from benchmarks.gpu_sizes import DTYPES, SIZES, Sizes, config_of

ASK_TORCH = "import torch; print(torch.__version__, torch.cuda.is_available())"
ASK_DRIVER = ("nvidia-smi", "--query-gpu=name,driver_version,memory.total,power.limit")


def device(sizes: Sizes) -> dict[str, Any]:
    """Return what computes here, how fast it multiplies and copies, and whether PyTorch can."""
    import jax

    from benchmarks import measure

    first = jax.devices()[0]
    if first.platform == "cpu" and shutil.which("nvidia-smi") and "JAX_PLATFORMS" not in os.environ:
        raise RuntimeError("there is a GPU, but JAX computes on the CPU: is its CUDA plugin there?")
    torch, reason = _torch()
    side = 512 if first.platform == "cpu" else None  # a CPU is no GPU: quick matters more
    return {
        "platform": first.platform,
        "device": first.device_kind,
        "devices": jax.device_count(),
        "memory_bytes": (first.memory_stats() or {}).get("bytes_limit"),
        "nvidia_smi": _output([*ASK_DRIVER, "--format=csv,noheader"]),
        "python": sys.version.split()[0],
        "torch": torch,
        "matrix_peak_flops_per_second": {d: measure.matrix_peak(d, side) for d in DTYPES},
        "copy_bytes_per_second": measure.copy_bandwidth(),
        **({"skipped": {"PyTorch beside the training step": reason}} if reason else {}),
    }


def _torch() -> tuple[str | None, str]:
    """Return the version of a PyTorch with CUDA, or None and why there is none."""
    found = _output([sys.executable, "-c", ASK_TORCH])
    if not found:
        return None, "PyTorch is not installed"
    version, has_cuda = found.split()
    return (version, "") if has_cuda == "True" else (None, f"PyTorch {version} finds no CUDA")


def _output(command: list[str]) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def train_step(sizes: Sizes, facts: dict, dtype: str, batch: str) -> dict[str, Any]:
    """Time the training step of the 'large' or the 'small' batch, in turn with PyTorch's if any."""
    from benchmarks import measure, torch_turns
    from benchmarks.train_step import make_step_and_program, step_flops

    images = {"large": sizes.large, "small": sizes.small}[batch]
    config = config_of(sizes, dtype, images)
    with torch_turns.started("train_step", config) if facts["torch"] else nullcontext() as theirs:
        step, program = make_step_and_program(config)
        turns = theirs or (lambda rounds: 0.0)
        ours, torch = torch_turns.compare(step, turns, sizes.repeats, sizes.rounds)
    found = measure.report(
        "train_step",
        ours,
        images=images,
        dtype=dtype,
        flops=step_flops(config),
        peak=facts["matrix_peak_flops_per_second"][dtype],
        size=list(config.data.size),
        bytes_moved=(program.cost_analysis() or {}).get("bytes accessed"),
        temporary_bytes=getattr(program.memory_analysis(), "temp_size_in_bytes", None),
    )
    moved, bandwidth = found["bytes_moved"], facts["copy_bytes_per_second"]
    share = moved and moved / found["seconds"] / bandwidth
    return found | {"fraction_of_copy_bandwidth": share} | _beside(found["seconds"], torch, theirs)


def _beside(seconds: float, torch: list[float], measured: Any) -> dict[str, Any]:
    if not measured:
        return {}
    if any(map(math.isnan, torch)):
        return {"skipped": {"PyTorch": "failed; its error is printed"}}
    median = sorted(torch)[len(torch) // 2]
    return {"torch_seconds": median, "times_faster_than_torch": median / seconds}


def embed(sizes: Sizes, facts: dict, dtype: str) -> dict[str, Any]:
    """Time the embedding of images in host memory."""
    from benchmarks.embed import benchmark_embed

    config = config_of(sizes, dtype, sizes.small)
    if sizes.tiny:
        config.evaluation.batch_size = 8
    return benchmark_embed(config, sizes.repeats, facts["matrix_peak_flops_per_second"][dtype])


def evaluation(sizes: Sizes, facts: dict) -> dict[str, Any]:
    """Time all protocols of SYSU-MM01 from embeddings that are there."""
    from benchmarks.ranking import all_protocols

    return {"numbers": sizes.width, **all_protocols(sizes.width)}


def search(sizes: Sizes, facts: dict) -> dict[str, Any]:
    """Time the search of the best 20."""
    from benchmarks.search import benchmark_search

    return benchmark_search(1, sizes.gallery, sizes.width)


def startup(sizes: Sizes, facts: dict) -> dict[str, Any]:
    """Time a process from its command to its first finished step."""
    from benchmarks.startup import benchmark_startup

    # Half of them train, and a batch has 48.
    return benchmark_startup("synthetic", 1, max(120, 3 * sizes.people))


def _parts() -> dict[str, Callable[..., dict]]:
    from benchmarks import gpu_checks, gpu_schedule

    return {
        "train_step": train_step,
        "embed": embed,
        "evaluation": evaluation,
        "search": search,
        "startup": startup,
        "schedule": gpu_schedule.schedule,
        "determinism": gpu_checks.determinism,
        "digest": gpu_checks.digest,
        "tests": gpu_checks.tests,
    }


def main() -> None:
    """Run the part that the command names and print its result as one line."""
    facts = json.load(sys.stdin)
    sizes, (name, *words) = SIZES[facts["sizes"]], sys.argv[1].split("/")
    found = device(sizes) if name == "device" else _parts()[name](sizes, facts, *words)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
