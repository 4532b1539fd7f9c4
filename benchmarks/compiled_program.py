"""What the programs for CUDA and TPU compute and move, read without such a device.

    python scripts/benchmark.py --what=compiled_program --config=sysu_mm01

The training step and the embedding of `--config` are lowered for both platforms, as `jax.export`
does, from shapes alone. Nothing is compiled or run.
"""

from collections.abc import Iterator
from typing import NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict

from benchmarks.program_graph import Operation, Program, read_program
from benchmarks.program_traffic import fused_bytes, is_product
from dmcf_jax.config.build import build, build_model, input_form
from dmcf_jax.config.validate import validate
from dmcf_jax.data.feed import DeviceLoader
from dmcf_jax.data.identity_sampler import identity_table
from dmcf_jax.methods.embedder import embedding_function
from dmcf_jax.models.initial import variable_shapes
from dmcf_jax.runtime import devices as mesh
from dmcf_jax.runtime.console import log
from dmcf_jax.runtime.random_keys import training_keys
from dmcf_jax.training.compile_step import trace_step

IDENTITIES = 395  # SYSU-MM01's
IMAGES = (64, 256)
DTYPES = ("float32", "bfloat16")
LARGE = 2**20  # bytes of a value whose pass through memory counts
HOST = ("callback", "infeed", "outfeed", "send", "recv")  # in kinds and targets that ask the host
# Operations that take a pass of their own; what else moves values is fused.
PASSES = ("transpose", "select_and_scatter", "scatter", "sort")
PLATFORMS = ("cuda", "tpu")


class Device(NamedTuple):
    """Peaks of a device as its maker states them, without sparsity.

    Attributes:
        platform: 'cuda' or 'tpu'.
        flops: a second, by dtype: float32 in TF32 on GPUs, in one bfloat16 pass on TPUs, as JAX
            computes it unless told otherwise.
        bandwidth: of its memory, bytes a second.
    """

    platform: str
    flops: dict[str, float]
    bandwidth: float


# NVIDIA's data sheets of the H100 (SXM) and the H200 (SXM); Google Cloud's page "TPU v5e".
HOPPER = {"float32": 494.7e12, "bfloat16": 989.4e12}
DEVICES = {
    "H100": Device("cuda", HOPPER, 3.35e12),
    "H200": Device("cuda", HOPPER, 4.8e12),
    "TPU v5e": Device("tpu", dict.fromkeys(DTYPES, 197e12), 0.819e12),
}


def benchmark_compiled_program(config: ConfigDict, images: tuple[int, ...] = IMAGES) -> dict:
    """Return counts and rooflines of every program; logs a table.

    Args:
        images: in a batch, multiples of two K.
    """
    validate(config)
    found = []
    for dtype in DTYPES:
        for name, count, traced in traced_programs(config, dtype, images):
            for platform in PLATFORMS:
                lowered = traced.lower(lowering_platforms=(platform,))
                about = {"program": name, "platform": platform, "dtype": dtype, "images": count}
                found.append(about | figures(lowered, platform, dtype))
                log(_line(found[-1]))
    return {
        "what": "compiled_program",
        "seconds": 0.0,
        "images_per_second": 0.0,
        "device": "none: the programs are lowered only",
        "size": list(config.data.size),
        "jax": jax.__version__,
        "programs": found,
    }


def traced_programs(
    config: ConfigDict, dtype: str, images: tuple[int, ...]
) -> Iterator[tuple[str, int, jax.stages.Traced]]:
    """Yield (name, images in a batch, program) of the training step and of the embedding."""
    for count in images:
        changed = config.copy_and_resolve_references()
        changed.dtype, changed.sampler.P = dtype, count // (2 * config.sampler.K)
        yield "train_step", count, trace_training_step(changed)
        yield "embed", count, trace_embedding(changed, count)


def trace_training_step(config: ConfigDict) -> jax.stages.Traced:
    """Return the training step of `config` for one device, of whichever platform."""
    P, K = config.sampler.P, config.sampler.K
    identities = max(IDENTITIES, P)
    devices = mesh.make_mesh(jax.devices()[:1])
    built = build(config, identities, "xla")
    identity, modality = np.repeat(np.arange(identities), 2 * K), np.arange(2 * K * identities) % 2
    pixels = np.zeros((2, *config.data.size, 3), np.uint8)
    feed = DeviceLoader(pixels, identity_table(identity, modality, P), P, K, devices)
    arguments = built.state_shapes(), next(feed.batches(0)), training_keys(config.seed)
    inputs = mesh.with_sharding(arguments, mesh.replicated(devices))
    return trace_step(feed, built.train_step, inputs, devices)


def trace_embedding(config: ConfigDict, images: int) -> jax.stages.Traced:
    """Return the embedding of visible images by the network of `config`."""
    model, size = build_model(config, IDENTITIES, "xla"), tuple(config.data.size)
    embed = embedding_function(model, "visible", config.evaluation.flip, input_form(config))
    pixels = jax.ShapeDtypeStruct((images, *size, 3), np.uint8)
    return jax.jit(embed).trace(variable_shapes(model, size), pixels)


def figures(lowered: jax.stages.Lowered, platform: str, dtype: str) -> dict:
    """Return what a program computes and moves.

    `flops`, `bytes_as_written`: XLA's cost analysis before any optimisation, each operation alone.
    `bytes_fused`: see `benchmarks/program_traffic.py`.
    `large`: operations that take a pass of their own over a MiB or more, by kind.
    `float32`: in a bfloat16 program, `convolutions` and matrix `products` of float32 values, and
        the `share` of the FLOPs that is in the latter.
    `from_host`: operations that ask the host for something, which must be 0.
    `roofline`: by device, milliseconds of arithmetic and of memory at the device's peaks.
    """
    program, costs = read_program(lowered.compiler_ir("stablehlo")), lowered.cost_analysis()
    products = [op for op in program.operations if is_product(program, op)]
    flops, moved = costs["flops"], fused_bytes(program)
    return {
        "flops": flops,
        "bytes_as_written": costs["bytes accessed"],
        "bytes_fused": moved,
        "operations": len(program.operations),
        "transposes": sum(op.kind == "transpose" for op in program.operations),
        "large": {kind: _large(program, kind) for kind in PASSES},
        "products": len(products),
        **({"float32": _float32(program, products, flops)} if dtype == "bfloat16" else {}),
        "from_host": sum(_asks_host(op) for op in program.operations),
        "roofline": _roofline(flops, moved, platform, dtype),
    }


def _roofline(flops: float, moved: int, platform: str, dtype: str) -> dict[str, dict[str, float]]:
    return {
        name: {
            "arithmetic_ms": 1e3 * flops / device.flops[dtype],
            "memory_ms": 1e3 * moved / device.bandwidth,
        }
        for name, device in DEVICES.items()
        if device.platform == platform
    }


def _float32(program: Program, products: list[Operation], flops: float) -> dict[str, float]:
    found = [op for op in products if any(program.values[n].dtype == "f32" for n in op.inputs)]
    matrices = [op for op in found if op.kind == "dot_general"]
    return {
        "convolutions": len(found) - len(matrices),
        "products": len(matrices),
        "share": sum(_matrix_flops(program, op) for op in matrices) / flops,
    }


def _large(program: Program, kind: str) -> int:
    sizes = [program.values[op.outputs[0]].size for op in program.operations if op.kind == kind]
    return sum(size >= LARGE for size in sizes)


def _matrix_flops(program: Program, product: Operation) -> float:
    left, right, out = (program.values[n] for n in (*product.inputs, *product.outputs))
    # m k, k n and m n numbers: the root of their product is m k n.
    return 2.0 * (left.count * right.count * out.count) ** 0.5


def _asks_host(op: Operation) -> bool:
    return any(word in part for word in HOST for part in (op.kind, op.target))


def _line(row: dict) -> str:
    times = [
        f"{name}: {line['arithmetic_ms']:.2f} ms, {line['memory_ms']:.2f} ms"
        for name, line in row["roofline"].items()
    ]
    islands = f"  float32 {row['float32']}" if "float32" in row else ""
    return (
        f"{row['program']:10} {row['platform']:4} {row['dtype']:8} {row['images']:3} images  "
        f"{row['flops'] / 1e12:.2f} TFLOP  {row['bytes_fused'] / 1e9:.2f} GB fused  "
        f"{row['bytes_as_written'] / 1e9:.0f} GB as written  {row['transposes']} transposes, large "
        f"{row['large']}  {row['products']} products{islands}  host {row['from_host']}  "
        f"{'; '.join(times)}"
    )
