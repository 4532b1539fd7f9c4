"""From the command to the first finished training step, without and with compiled programs kept."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jax

from dmcf_jax.data.records.prepare_synthetic import prepare_synthetic

IDENTITIES = 300  # as in the demo
# How the first line of `dmcf_jax.training.display.TrainingDisplay` starts.
FIRST_STEP = "step 1/"


def benchmark_startup(config: str, repeats: int = 3, identities: int = IDENTITIES) -> dict:
    """Return seconds until a training process logs its first step.

    Cold means: no compiled program on disk, decoded images already cached. Each repetition
    starts both in turn; medians are reported.

    Args:
        config: name or path of a config of RegDB; its images are synthetic.
        identities: synthetic people.
    """
    cold, warm = [], []
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "data")
        prepare_synthetic("regdb", identities, 0, data, trial="1")
        _seconds(config, data, Path(folder, "first"), Path(folder, "compiled_first"))
        for number in range(repeats):
            compiled = Path(folder, f"compiled_{number}")
            cold.append(_seconds(config, data, Path(folder, f"cold_{number}"), compiled))
            warm.append(_seconds(config, data, Path(folder, f"warm_{number}"), compiled))
    return {
        "what": "startup",
        "seconds": sorted(cold)[repeats // 2],
        "seconds_warm": sorted(warm)[repeats // 2],
        "cold": cold,
        "warm": warm,
        "images_per_second": 0.0,
        "device": jax.devices()[0].device_kind,
        "config": config,
    }


def _seconds(config: str, data: Path, workdir: Path, compiled: Path) -> float:
    command = [
        *(sys.executable, "-m", "dmcf_jax.cli.train"),
        *(f"--config={config}", f"--workdir={workdir}"),
        *(f"--config.data.data_dir={data}", f"--compilation_cache={compiled}"),
        *("--config.train.steps=1", "--config.train.log_every=1", "--config.optim.warmup_steps=0"),
    ]
    start = time.perf_counter()
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        lines = []
        for line in process.stderr:
            lines.append(line)
            if line.startswith(FIRST_STEP):
                seconds = time.perf_counter() - start
        if process.wait():
            raise RuntimeError("training ended with an error:\n" + "".join(lines))
    return seconds
