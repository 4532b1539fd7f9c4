"""Python commands in processes of their own, as a user starts them."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
QUICK_TO_COMPILE = {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}  # half the time; other roundings


def environment(
    devices: int = 1, platform: str = "cpu", cache: Path | None = None, **settings: str
) -> dict[str, str]:
    """Return an environment in which dmcf_jax is found and JAX sees `devices` devices.

    Args:
        devices: of the CPU.
        platform: that JAX computes on.
        cache: folder that keeps every compiled program; None keeps none.
        settings: further variables.
    """
    keep_all = {
        "JAX_COMPILATION_CACHE_DIR": str(cache),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "JAX_PLATFORMS": platform,
        "JAX_NUM_CPU_DEVICES": str(devices),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        **(keep_all if cache else {}),
        **settings,
    }


def start(*words: str | Path, env: dict[str, str] | None = None, **options) -> subprocess.Popen:
    """Start Python with `words` from the root of the repository, output and errors in pipes."""
    usual = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": ROOT}
    command = [sys.executable, *map(str, words)]
    return subprocess.Popen(command, env=env or environment(), **usual | options)


def run(*words: str | Path, timeout: float = 300, **options) -> subprocess.CompletedProcess:
    """Run Python with `words` to its end; return its status, output and errors."""
    with start(*words, **options) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)
