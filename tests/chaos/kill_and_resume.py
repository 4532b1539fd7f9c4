"""Kill a training process again and again, resume it, and compare its end with one left alone.

    python tests/chaos/kill_and_resume.py --kills=50 --folder=/tmp/chaos

Half of the kills strike while a checkpoint is being written, the others at any moment of a start.
Prints one JSON object and ends with status 1 if anything was lost or differs.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, too

from support import tiny_run  # noqa: E402
from support.commands import environment, run, start  # noqa: E402

from dmcf_jax.runs.checkpoint import KEPT  # noqa: E402
from dmcf_jax.runtime.checksums import checksum_problems  # noqa: E402

STEPS_A_KILL = 4  # enough that the run is not over before the last kill
LONGEST_DELAY = 0.04  # seconds after a write began: longer than the write of the tiny run


class Watch:
    """The checkpoints of a run, seen from outside."""

    def __init__(self, workdir: Path):
        self.folder = workdir / "checkpoints"

    def names(self) -> list[str]:
        """Return the names of all checkpoint folders, finished or not."""
        try:
            return os.listdir(self.folder)
        except FileNotFoundError:
            return []

    def finished(self) -> list[int]:
        """Return the steps of finished checkpoints, ascending."""
        return sorted(int(name) for name in self.names() if name.isdecimal())

    def unfinished(self) -> list[str]:
        """Return the names of checkpoints under construction."""
        return [name for name in self.names() if "tmp" in name]


def kill_and_resume(folder: Path, kills: int, seed: int = 0) -> dict:
    """Return how often the run was killed, where it struck and everything that went wrong."""
    draw, wrong, struck = random.Random(seed), [], Counter()
    data_dir, env = tiny_run.make_data(folder), environment(cache=folder / "cache")
    settings = {"train.steps": STEPS_A_KILL * max(kills, 3)}
    alone = run(*tiny_run.command(data_dir, folder / "alone", settings), env=env)
    wrong += _faults_of(alone)
    words = tiny_run.command(data_dir, folder / "killed", settings)
    watch, newest = Watch(folder / "killed"), 0
    while struck.total() < kills:
        ended, newest = _start_and_kill(words, env, watch, draw, newest)
        if ended is not None:
            wrong += [f"it ended before kill {struck.total() + 1}: {ended}"]
            break
        struck[_where(watch)] += 1
        wrong += _losses(watch, newest)
    resumed = run(*words, env=env)
    wrong += _faults_of(resumed) + _differences(folder, settings["train.steps"])
    return {
        "what": "kill_and_resume",
        "kills": struck.total(),
        "inside_a_checkpoint_write": struck["write"],
        "while_an_old_one_was_deleted": struck["deletion"],
        "steps": settings["train.steps"],
        "seed": seed,
        "failures": wrong,
    }


def _start_and_kill(words, env, watch, draw, newest):
    """Start the run, kill it at a random moment; return (stderr if it ended, newest finished)."""
    with start(*words, env=env, stdout=subprocess.DEVNULL) as process:
        in_write, began = draw.random() < 0.5, time.monotonic()
        writes_to_see, delay = draw.randint(1, 4), draw.uniform(0, LONGEST_DELAY)
        latest, seen = began + draw.uniform(0.5, 6.0), set()
        while process.poll() is None:
            names = watch.names()
            newest = max([newest, *(int(name) for name in names if name.isdecimal())])
            seen.update(name for name in names if "tmp" in name)
            if in_write and len(seen) >= writes_to_see:
                time.sleep(delay)
                break
            if not in_write and time.monotonic() > latest:
                break
        ended = process.poll() is not None
        process.send_signal(signal.SIGKILL)
        errors = process.stderr.read()
    return (errors if ended else None), newest


def _where(watch):
    if watch.unfinished():
        return "write"
    return "deletion" if len(watch.finished()) > KEPT else "elsewhere"


def _losses(watch, newest):
    """Return what is not as it must be: the newest checkpoints are there and complete."""
    finished = watch.finished()
    lost = [] if max([0, *finished]) >= newest else [f"checkpoint {newest} is gone"]
    for step in finished[-KEPT:]:
        lost += [f"checkpoint {step}: {p}" for p in checksum_problems(watch.folder / str(step))]
    return lost


def _faults_of(done):
    clean = done.returncode == 0 and "Traceback" not in done.stderr
    return [] if clean else [f"status {done.returncode}: {done.stderr[-2000:]}"]


def _differences(folder, step):
    import jax

    ends = [final_state(folder / name, step) for name in ("alone", "killed")]
    same = jax.tree.map(np.array_equal, *ends)
    different = [
        jax.tree_util.keystr(path)
        for path, equal in jax.tree_util.tree_leaves_with_path(same)
        if not equal
    ]
    logs = [tiny_run.log_without_clocks(folder / name) for name in ("alone", "killed")]
    return [f"{name} differs" for name in different] + (
        [] if logs[0] == logs[1] else ["metrics.jsonl differs"]
    )


def final_state(workdir: Path, step: int) -> dict:
    """Return all arrays of a checkpoint: parameters, statistics, moments, counts."""
    from orbax.checkpoint import v1 as ocp

    with warnings.catch_warnings(action="ignore"):  # arrays are placed as the file has them
        return ocp.load_checkpointables(workdir / "checkpoints" / str(step))["state"]


def main() -> int:
    """Run the long form by the flags."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, required=True, help="empty; holds both runs")
    flags = parser.parse_args()
    found = kill_and_resume(flags.folder, flags.kills, flags.seed)
    print(json.dumps(found))
    return bool(found["failures"])


if __name__ == "__main__":
    sys.exit(main())
