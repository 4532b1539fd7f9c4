"""A tiny run and its folder for the hub."""

import json
from pathlib import Path

from support import tiny
from support.results import result

from dmcf_jax.export.hub.write import export_hub
from dmcf_jax.runs.load import TrainedModel

PEOPLE = ("ann", "bo", "cy")
STEP = 700  # of `support.results.result`
DATA = {
    "dataset": "regdb",
    "trial": 1,
    "official": False,
    "synthetic": True,
    "records_sha256": {"train": "a" * 64, "test": "b" * 64},
    "classes": list(PEOPLE),
    "wide_range": [0, 65535],
    "package_version": "0.1.0",
}
THRESHOLDS = {
    "group": "held-out people",
    "people": 20,
    "pairs": {"across modalities": {"thresholds": {"0.01": {"score": 0.5, "tpr": 0.25}}}},
}
SETTINGS = tiny.ONE_LEVEL | {"data.data_dir": "/home/somebody/data"}


def tiny_run(workdir: Path, start: str = "/secret/run") -> TrainedModel:
    """Write what an export reads of a run's folder; return its model, which started at `start`."""
    (workdir / "evaluation/regdb").mkdir(parents=True)
    (workdir / "data.json").write_text(json.dumps(DATA))
    for name, step in (("visible-to-thermal", STEP), ("thermal-to-visible", STEP - 100)):
        text = json.dumps(result(f"regdb/{name}", step=step))
        (workdir / f"evaluation/regdb/{name}.json").write_text(text)
    trained = tiny.model(SETTINGS | {"init_from": start}, identities=len(PEOPLE))
    origin = STEP, "last", trained.wide_range, THRESHOLDS
    return TrainedModel(trained.config, trained.model, trained.variables, *origin)


def shared_folder(root: Path) -> tuple[TrainedModel, Path]:
    """Return a tiny model and its folder for the hub, both new in `root`."""
    trained = tiny_run(root / "run")
    export_hub(trained, root / "run", root / "hub")
    return trained, root / "hub"
