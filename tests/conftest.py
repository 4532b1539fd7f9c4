"""Eight virtual CPU devices and strict dtypes: what every test runs under."""

import jax
import pytest

jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_numpy_dtype_promotion", "strict")


@pytest.fixture
def standard_promotion():
    """For tests that run optax, whose bias correction mixes integers and floats."""
    with jax.numpy_dtype_promotion("standard"):
        yield
