"""Eight virtual CPU devices and strict dtypes: what every test runs under."""

import os
import shutil
import tempfile

import jax
import pytest

# A program that several tests compile is compiled once: the processes of pytest-xdist and the
# commands that tests start inherit this folder. The process that made it deletes it.
_CACHE = "JAX_COMPILATION_CACHE_DIR"
_made = "" if _CACHE in os.environ else tempfile.mkdtemp(prefix="dmcf_jax_compiled_")
_folder = os.environ.setdefault(_CACHE, _made)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")
jax.config.update("jax_compilation_cache_dir", _folder)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_numpy_dtype_promotion", "strict")


def pytest_configure(config: pytest.Config) -> None:
    """Let LLVM optimise nothing where slow tests are left out.

    The fast tests compile hundreds of programs and run each once. A run of all tests compiles them
    as users do.
    """
    if "not slow" in config.option.markexpr:
        # Read when the first program is compiled.
        flags = os.environ.get("XLA_FLAGS", "")
        os.environ["XLA_FLAGS"] = f"{flags} --xla_backend_optimization_level=0"


def pytest_unconfigure() -> None:
    """Delete the programs that this process kept for all."""
    if _made:
        shutil.rmtree(_made, ignore_errors=True)


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
