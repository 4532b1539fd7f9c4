"""A training run so small that starting it takes longer than training: for killing and breaking."""

import json
from collections.abc import Mapping
from pathlib import Path

from support.tiny import ONE_LEVEL, as_flags
from support.trees import write_regdb

from dmcf_jax.data.records.prepare import prepare

SETTINGS = ONE_LEVEL | {
    "model.width": 2,
    "model.embedding_dim": 4,
    "sampler.P": 2,
    "optim.lr_backbone": 0.003,
    "train.checkpoint_every": 1,
    "train.summary_people": 0,
}


def make_data(folder: Path) -> Path:
    """Prepare eight identities of noise in RegDB's layout; return the data_dir."""
    write_regdb(folder / "source", ids=8, images=2, trials=(1,))
    prepare("regdb", folder / "source", folder / "data", trial=1, unofficial=True)
    return folder / "data"


def command(data_dir: Path, workdir: Path, changes: Mapping | None = None) -> list[str]:
    """Return the words of scripts/train.py for the tiny run, for `support.commands`."""
    fields = SETTINGS | dict(changes or {}) | {"data.data_dir": str(data_dir)}
    words = ["scripts/train.py", "--config=configs/regdb.py", f"--workdir={workdir}"]
    return [*words, *as_flags(fields)]


def log_without_clocks(workdir: Path) -> list[dict]:
    """Return the lines of metrics.jsonl without what depends on the clock."""
    lines = map(json.loads, (workdir / "metrics.jsonl").read_text().splitlines())
    clocks = ("images_per_second", "data_wait")
    return [{k: v for k, v in line.items() if k not in clocks} for line in lines]
