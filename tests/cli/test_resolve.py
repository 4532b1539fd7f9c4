"""scripts/resolve.sh with a `uv` of ours, so that no registry is asked."""

import os
import subprocess

import pytest
from support.commands import ROOT

# Answers the probe and every extra; the status of `tpu` on Python 3.13 is the environment's.
UV = """#!/bin/sh
case "$*" in
    *"--no-deps -"*) exit "$PROBE" ;;
    *"--extra tpu"*"--python-version 3.13"*) echo "jax==0.11.2"; exit "$TPU" ;;
esac
echo "$*" >> "$ASKED"
echo "jax==0.11.2"
"""


@pytest.fixture
def resolve(tmp_path):
    """Return a function that runs the script with the given statuses of `uv`."""
    uv, asked = tmp_path / "bin/uv", tmp_path / "asked"
    uv.parent.mkdir()
    uv.write_text(UV)
    uv.chmod(0o755)

    def run(probe=0, tpu=0):
        path = f"{uv.parent}{os.pathsep}{os.environ['PATH']}"
        own = {"PATH": path, "PROBE": str(probe), "TPU": str(tpu), "ASKED": str(asked)}
        command = ["bash", str(ROOT / "scripts/resolve.sh")]
        done = subprocess.run(command, env=os.environ | own, capture_output=True, text=True)
        return done, asked.read_text().splitlines() if asked.exists() else []

    return run


def test_three_extras_are_resolved_for_three_pythons_under_the_constraints(resolve):
    done, asked = resolve()
    assert done.returncode == 0 and "9 of 9 resolve" in done.stdout
    words = [line.split() for line in asked]
    cases = {(w[w.index("--extra") + 1], w[w.index("--python-version") + 1]) for w in words}
    assert cases == {
        (e, p) for e in ("cuda12", "cuda13", "tpu") for p in ("3.11", "3.12", "3.13")
    } - {("tpu", "3.13")}
    assert all(w[w.index("--constraint") + 1] == "constraints.txt" for w in words)


def test_versions_that_contradict_each_other_fail(resolve):
    done, _ = resolve(tpu=1)
    assert done.returncode == 1 and "8 of 9 resolve" in done.stdout
    assert "tpu, Python 3.13: cannot be installed" in done.stderr


def test_a_registry_that_stops_answering_is_no_contradiction(resolve):
    done, _ = resolve(tpu=2)
    assert done.returncode == 0 and "8 of 9 resolve" in done.stdout
    assert "tpu, Python 3.13: not known" in done.stdout


def test_without_a_registry_it_is_skipped_with_a_word(resolve):
    done, asked = resolve(probe=2)
    assert done.returncode == 0 and done.stdout.startswith("skipped: ") and not asked
