"""A training run so small that starting it takes longer than training: for killing and breaking."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
SETTINGS = {
    "data.size": (32, 32),
    "data.pad": 2,
    "model.shared_from": "layer1",
    "model.levels": ("layer1",),
    "model.stripes": (1,),
    "model.width": 2,
    "model.embedding_dim": 4,
    "sampler.P": 2,
    "sampler.K": 2,
    "loss.triplet_start_step": 0,
    "mtl.start_step": 3,
    "optim.lr_backbone": 0.003,
    "train.steps": 8,
    "train.checkpoint_every": 1,
    "train.log_every": 1,
    "train.summary_people": 0,
}


def make_data(folder: Path) -> Path:
    """Prepare eight identities of noise in RegDB's layout; return the data_dir."""
    sys.path.insert(0, str(ROOT / "tests"))
    from support.trees import write_regdb

    from dmcf_jax.data.records.prepare import prepare

    write_regdb(folder / "source", ids=8, images=2, trials=(1,))
    prepare("regdb", folder / "source", folder / "data", trial=1, unofficial=True)
    return folder / "data"


def command(data_dir: Path, workdir: Path, settings: Mapping | None = None) -> list[str]:
    """Return the words of scripts/train.py for the tiny run."""
    fields = SETTINGS | dict(settings or {}) | {"data.data_dir": str(data_dir)}
    return [
        *(sys.executable, str(ROOT / "scripts/train.py"), f"--workdir={workdir}"),
        f"--config={ROOT}/configs/synthetic.py",
        *(f"--config.{name}={value}" for name, value in fields.items()),
    ]


def environment(cache: Path, platform: str = "cpu") -> dict[str, str]:
    """Return an environment with one device and compiled programs kept in `cache`."""
    return os.environ | {
        "JAX_PLATFORMS": platform,
        "JAX_NUM_CPU_DEVICES": "1",
        "JAX_COMPILATION_CACHE_DIR": str(cache),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }


def start(words: list[str], cache: Path, platform: str = "cpu", **options) -> subprocess.Popen:
    """Start a command with its output in pipes."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(words, env=environment(cache, platform), cwd=ROOT, **pipes | options)


def run(words: list[str], cache: Path, platform: str = "cpu") -> subprocess.CompletedProcess:
    """Run a command to its end and return its status and what it said."""
    with start(words, cache, platform) as process:
        out, err = process.communicate(timeout=300)
    return subprocess.CompletedProcess(words, process.returncode, out, err)


def log_without_clocks(workdir: Path) -> list[dict]:
    """Return the lines of metrics.jsonl without what depends on the clock."""
    lines = map(json.loads, (workdir / "metrics.jsonl").read_text().splitlines())
    clocks = ("images_per_second", "data_wait")
    return [{k: v for k, v in line.items() if k not in clocks} for line in lines]
