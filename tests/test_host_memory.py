"""What is freed is given to the next that asks: counted in pages that the system had to give."""

import os
import platform
import subprocess
import sys

import pytest

# Faults of ten times 64 MiB filled and freed, in another thread than the first, as XLA's are.
COUNT_FAULTS = """
import resource, sys, threading
import numpy as np
from dmcf_jax.host_memory import keep_freed_memory

done = keep_freed_memory() if sys.argv[1] == "keep" else None
faults = []

def work():
    for _ in range(11):
        np.full(64 << 20, 1, np.uint8)
        faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)

thread = threading.Thread(target=work)
thread.start()
thread.join()
print(done, faults[-1] - faults[0])
"""

glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")


def count_faults(mode, **environment):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    clean.pop("GLIBC_TUNABLES", None)
    # Without huge pages, which NumPy asks for and which would hide the faults.
    environment = {**clean, "NUMPY_MADVISE_HUGEPAGE": "0", **environment}
    command = [sys.executable, "-c", COUNT_FAULTS, mode]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    done, faults = found.stdout.split()
    return done, int(faults)


@glibc
def test_freed_memory_comes_back_without_faults():
    pages = 10 * (64 << 20) // os.sysconf("SC_PAGE_SIZE")
    assert count_faults("leave")[1] > 0.9 * pages
    done, faults = count_faults("keep")
    assert done == "True"
    assert faults < 0.01 * pages


@glibc
@pytest.mark.parametrize("name", ["MALLOC_ARENA_MAX", "GLIBC_TUNABLES"])
def test_what_the_environment_chooses_is_left_alone(name):
    value = {"MALLOC_ARENA_MAX": "4", "GLIBC_TUNABLES": "glibc.malloc.arena_max=4"}[name]
    assert count_faults("keep", **{name: value})[0] == "False"
