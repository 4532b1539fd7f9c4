"""What must hold on a GPU: the tests that need one, and the same bits twice."""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from benchmarks.gpu_sizes import Sizes, config_of

ROOT = Path(__file__).parents[1]
DETERMINISTIC = "--xla_gpu_deterministic_ops=true"  # as docs/reliability.md says
STEPS = 3
NEEDED = ("pytest", "xdist", "beartype", "hypothesis")  # by the tests


def determinism(sizes: Sizes, facts: dict) -> dict[str, Any]:
    """Take the same training steps in two processes and compare all bits of the state.

    Raises:
        RuntimeError: they differ.
    """
    flag = DETERMINISTIC if facts["platform"] != "cpu" else ""
    first, second = (_digest_elsewhere(facts, flag) for _ in range(2))
    if first != second:
        raise RuntimeError(f"the weights after {STEPS} steps differ: {first} and {second}")
    return {"equal": True, "steps": STEPS, "flag": flag, "sha256": first}


def _digest_elsewhere(facts: dict, flag: str) -> str:
    flags = f"{os.environ.get('XLA_FLAGS', '')} {flag}".strip()
    command = [sys.executable, "-m", "benchmarks.gpu_parts", "digest"]
    done = subprocess.run(
        command,
        input=json.dumps(facts),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env=os.environ | {"XLA_FLAGS": flags},
    )
    return json.loads(done.stdout.splitlines()[-1])["sha256"]


def digest(sizes: Sizes, facts: dict) -> dict[str, Any]:
    """Return the SHA-256 of the state after a few steps from the config's seed."""
    import jax
    import numpy as np

    from benchmarks.train_step import make_step

    step = make_step(config_of(sizes, "bfloat16", sizes.small))
    state = [step() for _ in range(STEPS)][-1][0]
    found = hashlib.sha256()
    for leaf in jax.tree.leaves(state):
        found.update(np.asarray(leaf).tobytes())
    return {"sha256": found.hexdigest()}


def tests(sizes: Sizes, facts: dict) -> dict[str, Any]:
    """Run the tests marked `gpu`.

    Raises:
        RuntimeError: one failed, or there is none.
    """
    if facts["platform"] == "cpu":
        return {"skipped": {"the tests marked gpu": "they need a GPU"}}
    if lacks := [name for name in NEEDED if not find_spec(name)]:
        return {"skipped": {"the tests marked gpu": f"{', '.join(lacks)} not installed"}}
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        command = [sys.executable, "-m", "pytest", "-m", "gpu", "-n", "0", f"--junitxml={report}"]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            raise RuntimeError(f"pytest ended with {done.returncode}:\n{done.stdout[-2000:]}")
        suite = ElementTree.parse(report).getroot().find("testsuite")
    assert suite is not None
    run, left_out = (int(suite.get(name, 0)) for name in ("tests", "skipped"))
    return {"tests": run, "tests_left_out": left_out}
