"""Convolution and pooling in every form against literal NumPy loops, values and gradients."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dmcf_jax.models.convolution import DEEP, WINOGRAD, convolve, max_pool_3x3

FORMS = ("library", "product")


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


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("size", "stride"), [(1, 1), (1, 2), (3, 1), (3, 2), (7, 2)])
@pytest.mark.parametrize("shape", [(9, 6), (4, 5)])
def test_convolve_equals_a_literal_loop(form, size, stride, shape):
    generator = np.random.default_rng(size)
    x = generator.normal(size=(2, *shape, 3)).astype(np.float32)
    kernel = generator.normal(size=(size, size, 3, 4)).astype(np.float32)
    result = jax.jit(convolve, static_argnums=(2, 3))(x, kernel, stride, form)
    np.testing.assert_allclose(result, literal_convolution(x, kernel, stride), atol=2e-5)


@pytest.mark.slow
@pytest.mark.parametrize("call", [convolve, jax.jit(convolve, static_argnums=(2, 3))])
@pytest.mark.parametrize("channels", [WINOGRAD, DEEP])
@pytest.mark.parametrize(("size", "stride"), [(1, 1), (1, 2), (3, 1), (3, 2)])
@pytest.mark.parametrize("shape", [(9, 6), (4, 5), (1, 1)])
def test_forms_for_wide_maps_are_equal(call, channels, size, stride, shape):
    generator = np.random.default_rng(3)
    x = jnp.asarray(generator.normal(size=(2, *shape, channels)), jnp.float32)
    kernel = generator.normal(size=(size, size, channels, 5)) / np.sqrt(size * size * channels)
    kernel = jnp.asarray(kernel, jnp.float32)
    library, product = (call(x, kernel, stride, form) for form in FORMS)
    np.testing.assert_allclose(product, library, rtol=2e-5, atol=2e-5)


@pytest.mark.slow
@pytest.mark.parametrize("mode", [lambda call: call, jax.jit], ids=["eager", "jitted"])
def test_forms_have_equal_gradients_where_one_is_winograds(mode):
    generator = np.random.default_rng(4)
    x = jnp.asarray(generator.normal(size=(2, 5, 4, WINOGRAD)), jnp.float32)
    kernel = jnp.asarray(generator.normal(size=(3, 3, WINOGRAD, 5)) / 24, jnp.float32)

    def value(form, x, kernel):
        return jnp.sum(convolve(x, kernel, 1, form) ** 2)

    library, product = (mode(jax.grad(partial(value, form), (0, 1)))(x, kernel) for form in FORMS)
    for a, b in zip(library, product, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", [(8, 6), (9, 7), (5, 4)])
def test_max_pool_equals_a_literal_loop(form, shape):
    x = np.random.default_rng(0).normal(size=(2, *shape, 3)).astype(np.float32)
    np.testing.assert_array_equal(max_pool_3x3(jnp.asarray(x), form), literal_max_pool(x))


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(8, 6), (9, 7)])
def test_forms_have_equal_gradients(shape):
    generator = np.random.default_rng(1)
    x = jnp.asarray(generator.normal(size=(2, *shape, 3)), jnp.float32)
    for size, stride in [(1, 1), (1, 2), (3, 1), (3, 2), (7, 2)]:
        kernel = jnp.asarray(generator.normal(size=(size, size, 3, 4)), jnp.float32)

        def value(form, x, kernel, stride=stride):
            return jnp.sum(max_pool_3x3(convolve(x, kernel, stride, form), form) ** 2)

        library, product = (jax.grad(value, (1, 2))(form, x, kernel) for form in FORMS)
        for a, b in zip(library, product, strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-4)


def test_max_pool_has_a_gradient_inside_jit():
    x = jnp.asarray(np.random.default_rng(2).normal(size=(1, 6, 4, 2)), jnp.float32)
    gradients = [jax.jit(jax.grad(lambda x, f=f: jnp.sum(max_pool_3x3(x, f))))(x) for f in FORMS]
    np.testing.assert_array_equal(*gradients)
    assert gradients[0].sum() == 3 * 2 * 2  # each of the 3 x 2 x 2 outputs has one source
