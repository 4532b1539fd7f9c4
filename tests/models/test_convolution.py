"""Both implementations of convolution and pooling against literal loops, values and gradients."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.tiers import MODES

from dmcf_jax.models.convolution import DEEP, WINOGRAD, convolve, max_pool_3x3

CONV_IMPLS = ("xla", "matmul")


def literal_convolution(x, kernel, stride):
    size = kernel.shape[0]
    pad = (size - 1) // 2
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    height, width = ((n - size) // stride + 1 for n in x.shape[1:3])
    result = np.zeros((len(x), height, width, kernel.shape[3]))
    for i in range(height):
        for j in range(width):
            window = x[:, i * stride : i * stride + size, j * stride : j * stride + size]
            result[:, i, j] = np.einsum("nabc,abco->no", window, kernel)
    return result


def literal_max_pool(x):
    x = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-np.inf)
    height, width = ((n - 3) // 2 + 1 for n in x.shape[1:3])
    return np.stack(
        [
            np.stack(
                [x[:, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3].max((1, 2)) for j in range(width)], 1
            )
            for i in range(height)
        ],
        1,
    )


@pytest.mark.parametrize("conv_impl", CONV_IMPLS)
@pytest.mark.parametrize(("size", "stride"), [(1, 1), (1, 2), (3, 1), (3, 2), (7, 2)])
@pytest.mark.parametrize("shape", [(9, 6), (4, 5)])
def test_convolve_equals_a_literal_loop(conv_impl, size, stride, shape):
    generator = np.random.default_rng(size)
    x = generator.normal(size=(2, *shape, 3)).astype(np.float32)
    kernel = generator.normal(size=(size, size, 3, 4)).astype(np.float32)
    result = jax.jit(convolve, static_argnums=(2, 3))(x, kernel, stride, conv_impl)
    np.testing.assert_allclose(result, literal_convolution(x, kernel, stride), atol=2e-5)


@pytest.mark.slow
@pytest.mark.parametrize("call", [convolve, jax.jit(convolve, static_argnums=(2, 3))])
@pytest.mark.parametrize("channels", [WINOGRAD, DEEP])
@pytest.mark.parametrize(("size", "stride"), [(1, 1), (1, 2), (3, 1), (3, 2)])
@pytest.mark.parametrize("shape", [(9, 6), (4, 5), (1, 1)])
def test_implementations_for_wide_maps_are_equal(call, channels, size, stride, shape):
    generator = np.random.default_rng(3)
    x = jnp.asarray(generator.normal(size=(2, *shape, channels)), jnp.float32)
    kernel = generator.normal(size=(size, size, channels, 5)) / np.sqrt(size * size * channels)
    kernel = jnp.asarray(kernel, jnp.float32)
    xla, matmul = (call(x, kernel, stride, conv_impl) for conv_impl in CONV_IMPLS)
    np.testing.assert_allclose(matmul, xla, rtol=2e-5, atol=2e-5)


@pytest.mark.slow
@MODES
def test_implementations_have_equal_gradients_where_one_is_winograds(mode):
    generator = np.random.default_rng(4)
    x = jnp.asarray(generator.normal(size=(2, 5, 4, WINOGRAD)), jnp.float32)
    kernel = jnp.asarray(generator.normal(size=(3, 3, WINOGRAD, 5)) / 24, jnp.float32)

    def value(conv_impl, x, kernel):
        return jnp.sum(convolve(x, kernel, 1, conv_impl) ** 2)

    xla, matmul = (
        mode(jax.grad(partial(value, conv_impl), (0, 1)))(x, kernel) for conv_impl in CONV_IMPLS
    )
    for a, b in zip(xla, matmul, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("conv_impl", CONV_IMPLS)
@pytest.mark.parametrize("shape", [(8, 6), (9, 7), (5, 4)])
def test_max_pool_equals_a_literal_loop(conv_impl, shape):
    x = np.random.default_rng(0).normal(size=(2, *shape, 3)).astype(np.float32)
    np.testing.assert_array_equal(max_pool_3x3(jnp.asarray(x), conv_impl), literal_max_pool(x))


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(8, 6), (9, 7)])
def test_implementations_have_equal_gradients(shape):
    generator = np.random.default_rng(1)
    x = jnp.asarray(generator.normal(size=(2, *shape, 3)), jnp.float32)
    for size, stride in [(1, 1), (1, 2), (3, 1), (3, 2), (7, 2)]:
        kernel = jnp.asarray(generator.normal(size=(size, size, 3, 4)), jnp.float32)

        def value(conv_impl, x, kernel, stride=stride):
            return jnp.sum(max_pool_3x3(convolve(x, kernel, stride, conv_impl), conv_impl) ** 2)

        xla, matmul = (jax.grad(value, (1, 2))(conv_impl, x, kernel) for conv_impl in CONV_IMPLS)
        for a, b in zip(xla, matmul, strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-4)


def test_max_pool_has_a_gradient_inside_jit():
    x = jnp.asarray(np.random.default_rng(2).normal(size=(1, 6, 4, 2)), jnp.float32)
    gradients = [
        jax.jit(jax.grad(lambda x, f=f: jnp.sum(max_pool_3x3(x, f))))(x) for f in CONV_IMPLS
    ]
    np.testing.assert_array_equal(*gradients)
    assert gradients[0].sum() == 3 * 2 * 2  # each of the 3 x 2 x 2 outputs has one source


def literal_max_pool_gradient(x, cotangent):
    """Pass each number on to the first place of its window that has the maximum."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-np.inf)
    result = np.zeros(padded.shape)
    for n, i, j, c in np.ndindex(cotangent.shape):
        window = padded[n, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3, c]
        row, column = np.unravel_index(window.argmax(), window.shape)
        result[n, 2 * i + row, 2 * j + column, c] += cotangent[n, i, j, c]
    return result[:, 1:-1, 1:-1]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("shape", [(8, 6), (9, 7), (5, 4)])
def test_the_gradient_of_equal_maxima_goes_to_the_first(shape, dtype):
    generator = np.random.default_rng(3)
    x = generator.integers(-2, 3, (2, *shape, 3)).astype(np.float32)
    pooled, pull = jax.vjp(lambda x: max_pool_3x3(x, "xla"), jnp.asarray(x, dtype))
    cotangent = generator.integers(1, 9, pooled.shape).astype(np.float32)
    (found,) = pull(jnp.asarray(cotangent, dtype))
    assert found.dtype == dtype
    np.testing.assert_array_equal(pooled.astype(jnp.float32), literal_max_pool(x))
    expected = literal_max_pool_gradient(x, cotangent)
    np.testing.assert_array_equal(found.astype(jnp.float32), expected)


def test_a_maximum_that_is_no_number_stays_one_where_there_are_gradients():
    x = jnp.zeros((1, 4, 4, 1)).at[0, 1, 1, 0].set(jnp.nan)
    pooled, _ = jax.vjp(lambda x: max_pool_3x3(x, "xla"), x)
    np.testing.assert_array_equal(pooled, max_pool_3x3(x, "xla"))
