"""Large pages: counted in faults, by which the system hands out memory page by page."""

import os
import subprocess
import sys

import pytest

from dmcf_jax.host_memory import large_pages_can_be_asked_for

# Faults of ten times 64 MiB filled and freed, in another thread than the first, as XLA's are.
COUNT_FAULTS = """
import os, resource, sys, threading
import numpy as np
from dmcf_jax.host_memory import use_large_pages

print("start", os.getpid(), *sys.argv[1:], flush=True)
use_large_pages()
faults = []

def work():
    for _ in range(11):
        np.full(64 << 20, 1, np.uint8)
        faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)

thread = threading.Thread(target=work)
thread.start()
thread.join()
print(faults[-1] - faults[0])
"""
PAGES = 10 * (64 << 20) // os.sysconf("SC_PAGE_SIZE")

leaves_the_choice = pytest.mark.skipif(
    not large_pages_can_be_asked_for(), reason="this system gives large pages to all or to none"
)


def run_and_count(words=(), **environment):
    """Return how the script began, each time, and its faults."""
    clean = {name: value for name, value in os.environ.items() if name != "GLIBC_TUNABLES"}
    # Without NumPy's own request, which would hide the faults.
    environment = {**clean, "NUMPY_MADVISE_HUGEPAGE": "0", **environment}
    command = [sys.executable, "-c", COUNT_FAULTS, *words]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    *starts, faults = found.stdout.splitlines()
    return starts, int(faults)


@leaves_the_choice
def test_large_pages_cost_a_fiftieth_of_the_faults():
    assert run_and_count()[1] < 0.02 * PAGES


@leaves_the_choice
def test_the_process_starts_anew_once_with_its_number_and_words():
    starts, _ = run_and_count(["--a=b c", "d"])
    assert len(starts) == 2 and starts[0] == starts[1]
    assert starts[0].endswith(" --a=b c d")


@pytest.mark.parametrize("value", ["", "glibc.malloc.arena_max=4"])
def test_what_the_user_chose_is_left_alone(value):
    starts, faults = run_and_count(GLIBC_TUNABLES=value)
    assert len(starts) == 1
    if large_pages_can_be_asked_for():
        assert faults > 0.9 * PAGES
