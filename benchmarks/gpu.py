"""Measure all that concerns a GPU within a time, and write one JSON file.

    python -m benchmarks.gpu --out=gpu.json --seconds=600

`benchmarks/gpu.sh` installs what is needed and calls this. Each part runs in a process of its own:
none has the memory of another, and one that hangs or fails leaves the others. The file is written
after every part. What is left out is in `skipped`, with the reason; what ended with an error is in
`failed`, and makes the status 1. Without a GPU all sizes are small.
"""

import argparse
import datetime
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.gpu_sizes import SIZES
from benchmarks.provenance import commit, other_than_constraints, versions
from dmcf_jax.runtime.console import log
from dmcf_jax.runtime.files import write_atomically

ROOT = Path(__file__).parents[1]
SECONDS = 600.0  # of a call; those of its parts suit it
DEVICE_SECONDS = 90.0
LEAST_SECONDS = 15.0  # a part that has less left is not started
LAST_LINES = 15  # of what a failed part wrote


# The longest that each part may take, in seconds, the most important parts first.
PLAN = {
    "train_step/bfloat16/large": 110.0,
    "train_step/bfloat16/small": 110.0,
    "evaluation": 60.0,
    "schedule/sysu_mm01": 90.0,
    "schedule/regdb": 80.0,
    "embed/bfloat16": 50.0,
    "embed/float32": 50.0,
    "search": 90.0,
    "startup": 90.0,
    "determinism": 90.0,
    "tests": 90.0,
    "train_step/float32/large": 110.0,
    "train_step/float32/small": 110.0,
}


class Run:
    """One call: its clock, its file and what it has found.

    Attributes:
        found: what goes to the file.
    """

    def __init__(self, out: Path, seconds: float, command: list[str]):
        """Start the clock."""
        self._out, self._start, self._seconds = out, time.monotonic(), seconds
        self._patience = max(1.0, seconds / SECONDS)
        self.found: dict[str, Any] = {
            "what": "gpu",
            "seconds": 0.0,
            "images_per_second": 0.0,
            "device": None,
            "complete": False,
            "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "command": command,
            "commit": commit(),
            "versions": versions(),
            "other_than_constraints": other_than_constraints(),
            "parts": {},
            "skipped": {},
            "failed": {},
        }

    def left(self) -> float:
        """Return the seconds that are left."""
        return self._seconds - (time.monotonic() - self._start)

    def save(self, complete: bool = False) -> None:
        """Write the file, complete or not at all."""
        self.found |= {"seconds": time.monotonic() - self._start, "complete": complete}
        write_atomically(self._out, json.dumps(self.found, indent=2) + "\n")

    def measure(self, name: str, seconds: float, facts: dict[str, Any]) -> dict[str, Any]:
        """Run a part, note its result and return it; {} if it has none.

        Args:
            seconds: the longest that it may take; in proportion more where the call has more than
                `SECONDS`.
        """
        allowed, found = min(seconds * self._patience, self.left()), {}
        if allowed < min(LEAST_SECONDS, seconds):
            self.found["skipped"][name] = f"{max(0.0, allowed):.0f} s were left"
            return {}
        log(f"{name} ...")
        start = time.monotonic()
        status, output, errors = in_its_own_process(name, facts, allowed)
        taken = time.monotonic() - start
        if status is None:
            self.found["skipped"][name] = f"not finished within {allowed:.0f} s"
        elif status:
            lines = errors.strip().splitlines()[-LAST_LINES:]
            self.found["failed"][name] = {"status": status, "last_lines": lines}
        else:
            found = json.loads(output.splitlines()[-1])
            self._note(name, found | {"part_seconds": taken})
        log(f"{name}: {taken:.1f} s{'' if found else ', no result'}")
        self.save()
        return found

    def _note(self, name: str, found: dict[str, Any]) -> None:
        skipped = found.pop("skipped", {})
        self.found["skipped"] |= {f"{name}: {part}": reason for part, reason in skipped.items()}
        self.found["parts"][name] = found


def in_its_own_process(
    name: str, facts: dict[str, Any], seconds: float
) -> tuple[int | None, str, str]:
    """Return status, stdout and stderr of a part; the status is None if it took too long."""
    command = [sys.executable, "-m", "benchmarks.gpu_parts", name]
    # PyTorch's process needs memory too.
    own = {
        "XLA_PYTHON_CLIENT_PREALLOCATE": os.environ.get("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    }
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # so that its own processes end with it
        env=os.environ | own | {"PYTHONPATH": path},
    )
    try:
        output, errors = process.communicate(json.dumps(facts), timeout=seconds)
    except subprocess.TimeoutExpired:
        return None, "", ""
    finally:
        _end(process)
    return process.returncode, output, errors


def _end(process: subprocess.Popen) -> None:
    """End a part and all that it has started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.communicate()


def main() -> int:
    """Measure by the flags; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("gpu.json"), help="the JSON file")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="the longest it may take")
    parser.add_argument("--sizes", choices=SIZES, help="by default full on a GPU, else small")
    parser.add_argument("--parts", default=",".join(PLAN), help="some of them, between commas")
    words = parser.parse_args()
    if unknown := [name for name in words.parts.split(",") if name not in PLAN]:
        parser.error(f"there is no part {', '.join(unknown)}; the parts are {', '.join(PLAN)}")
    # As Ctrl-C does: the part that runs is ended too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    return measure_all(Run(words.out, words.seconds, sys.argv), words.parts.split(","), words.sizes)


def measure_all(run: Run, parts: list[str], sizes: str | None) -> int:
    """Measure the device, then the parts; return the exit status.

    Args:
        sizes: of `SIZES`; None for what suits the device.
    """
    machine = run.measure("device", DEVICE_SECONDS, {"sizes": sizes or "full"})
    sizes = sizes or ("small" if machine.get("platform") == "cpu" else "full")
    run.found |= {"device": machine.get("device"), "sizes": sizes}
    for name in parts if machine else ():
        found = run.measure(name, PLAN[name], machine | {"sizes": sizes})
        if name.startswith("train_step") and not run.found["images_per_second"]:
            run.found["images_per_second"] = found.get("images_per_second", 0.0)
    run.save(complete=True)
    for name, reason in run.found["skipped"].items():
        log(f"skipped {name}: {reason}")
    for name, failure in run.found["failed"].items():
        log(f"failed {name}: {failure['last_lines'][-1:]}")
    log(f"{len(run.found['parts'])} parts measured in {run.found['seconds']:.0f} s")
    return 1 if run.found["failed"] or not machine else 0


if __name__ == "__main__":
    sys.exit(main())
