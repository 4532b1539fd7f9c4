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


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out tests marked `onnx` unless -m names them."""
    if "onnx" not in config.option.markexpr:
        left_out = [item for item in items if item.get_closest_marker("onnx")]
        items[:] = [item for item in items if not item.get_closest_marker("onnx")]
        config.hook.pytest_deselected(items=left_out)
