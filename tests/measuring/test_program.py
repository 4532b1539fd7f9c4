"""What is read from lowered programs, against counts made by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.compiled_program import PLATFORMS, figures, traced_programs
from benchmarks.gpu_sizes import make_tiny
from benchmarks.program_graph import read_program
from benchmarks.program_traffic import fused_bytes
from dmcf_jax.configs import sysu_mm01

FLOAT = 4  # bytes


def bytes_of(function, *shapes, dtype=jnp.float32):
    """Return the bytes that the program of a function of arrays moves once fused."""
    arguments = [jax.ShapeDtypeStruct(shape, dtype) for shape in shapes]
    return fused_bytes(read_program(jax.jit(function).lower(*arguments).compiler_ir()))


def test_a_product_reads_its_matrices_and_what_follows_is_one_pass():
    found = bytes_of(lambda x, w: jnp.maximum(x @ w * 2, 0), (8, 4), (4, 16))
    assert found == FLOAT * (8 * 4 + 4 * 16 + 8 * 16 + 2 * 8 * 16)


def test_the_input_of_a_product_is_written_first():
    found = bytes_of(lambda x, w: jax.nn.relu(x + 1) @ w, (8, 4), (4, 16))
    assert found == FLOAT * (2 * 8 * 4 + 8 * 4 + 4 * 16 + 8 * 16)


def test_two_sums_of_the_same_array_share_a_pass():
    assert bytes_of(lambda x: (x.sum(), (x * x).sum()), (1000,)) == FLOAT * 1002


def test_a_part_of_an_array_is_all_that_is_read():
    assert bytes_of(lambda x: x[:10] + 1, (1000,)) == FLOAT * 20


def test_a_value_with_many_uses_is_written_once():
    """The sum of two arrays, for four products: written once and read four times."""
    shapes = [(64, 64)] * 6

    def function(*arrays):
        total = arrays[0] + arrays[1]
        return [jax.nn.relu(total * scale) @ w for scale, w in zip((1, 2, 3, 4), arrays[2:])]  # noqa: B905

    each = FLOAT * 64 * 64
    assert bytes_of(function, *shapes) == each * (2 + 1 + 4 * (2 + 3))


def test_float32_products_of_a_bfloat16_program_are_found_with_their_share():
    def function(x, w, half):
        return (x @ w).astype(jnp.bfloat16) @ half

    arguments = [jax.ShapeDtypeStruct((64, 64), jnp.float32)] * 2
    arguments.append(jax.ShapeDtypeStruct((64, 64), jnp.bfloat16))
    found = figures(jax.jit(function).lower(*arguments), "cuda", "bfloat16")
    assert found["products"] == 2
    assert found["float32"]["convolutions"] == 0 and found["float32"]["products"] == 1
    assert found["float32"]["share"] == pytest.approx(0.5, abs=0.01)
    assert set(found["roofline"]) == {"H100", "H200"}


def test_a_question_to_the_host_is_counted():
    def function(x):
        return jax.pure_callback(np.sin, jax.ShapeDtypeStruct((4,), jnp.float32), x)

    lowered = jax.jit(function).lower(jax.ShapeDtypeStruct((4,), jnp.float32))
    assert figures(lowered, "cuda", "float32")["from_host"] == 1


@pytest.mark.usefixtures("standard_promotion")
def test_the_bfloat16_programs_convolve_in_bfloat16_and_never_ask_the_host():
    config = sysu_mm01.get_config()
    make_tiny(config)
    programs = list(traced_programs(config, "bfloat16", (16,)))
    assert [name for name, _, _ in programs] == ["train_step", "embed"]
    for _, _, traced in programs:
        for platform in PLATFORMS:
            lowered = traced.lower(lowering_platforms=(platform,))
            found = figures(lowered, platform, "bfloat16")
            assert found["products"] > 10 and found["float32"]["convolutions"] == 0
            kinds = {op.kind for op in read_program(lowered.compiler_ir()).operations}
            assert "convolution" in kinds and "select_and_scatter" not in kinds
            assert found["from_host"] == 0
