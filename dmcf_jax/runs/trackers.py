"""Weights & Biases and MLflow beside `metrics.jsonl`, where `train.tracker` asks for one.

Each keeps its own server, project and keys where it always does (WANDB_MODE, WANDB_PROJECT,
MLFLOW_TRACKING_URI, ...). A resumed run goes on in the tracker's run of before, whose name is kept
in `tracker.json`; steps that a resume repeats appear twice there. A tracker that fails is given up
with a note: training does not depend on it.
"""

import importlib.util
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dmcf_jax.errors import UserError
from dmcf_jax.runs.folder import read_json
from dmcf_jax.runtime.console import log
from dmcf_jax.runtime.files import write_atomically

NAME = "tracker.json"
PROJECT = "dmcf_jax"  # where the environment names no other
PACKAGES = {"wandb": "wandb", "mlflow": "mlflow"}


class Tracker:
    """What a run tells a tracker; this one keeps nothing."""

    name = ""  # of the run, by which a resumed one finds it

    def write(self, group: str, step: int, scalars: Mapping[str, float]) -> None:
        """Take the scalars of a step; `group` is the log's name, 'metrics' or 'evaluations'."""

    def picture(self, name: str, step: int, file: Path) -> None:
        """Take a PNG file."""

    def close(self) -> None:
        """End the run there."""


class WandbTracker(Tracker):
    """A run of Weights & Biases."""

    def __init__(self, workdir: Path, config: Mapping[str, Any], known: str | None):
        """Start a run, or go on with the one that is `known`."""
        import wandb

        self._wandb = wandb
        settings = wandb.Settings(console="off")
        self._run = wandb.init(
            project=None if wandb.Settings().project else PROJECT,
            id=known,
            resume="allow",
            name=workdir.name,
            dir=workdir,
            config=dict(config),
            settings=settings,
        )
        # Steps are an axis of ours: W&B's own may not go back, as a resume does.
        self._run.define_metric("*", step_metric="step")
        self.name = self._run.id

    def write(self, group: str, step: int, scalars: Mapping[str, float]) -> None:
        """Log the scalars as 'group/name'."""
        self._run.log({"step": step, **{f"{group}/{k}": v for k, v in scalars.items()}})

    def picture(self, name: str, step: int, file: Path) -> None:
        """Log a picture."""
        self._run.log({"step": step, name: self._wandb.Image(str(file))})

    def close(self) -> None:
        """Finish the run."""
        self._run.finish()


class MlflowTracker(Tracker):
    """A run of MLflow, in the experiment 'dmcf_jax' or that of MLFLOW_EXPERIMENT_NAME."""

    def __init__(self, workdir: Path, config: Mapping[str, Any], known: str | None):
        """Start a run, or go on with the one that is `known`."""
        import mlflow
        from mlflow.environment_variables import MLFLOW_EXPERIMENT_NAME

        self._client = client = mlflow.MlflowClient()
        if known is None:
            name = MLFLOW_EXPERIMENT_NAME.get() or PROJECT
            found = client.get_experiment_by_name(name)
            experiment = found.experiment_id if found else client.create_experiment(name)
            known = client.create_run(experiment, run_name=workdir.name).info.run_id
            client.log_dict(known, dict(config), "config.json")
        self.name = known

    def write(self, group: str, step: int, scalars: Mapping[str, float]) -> None:
        """Log the scalars as 'group/name', in one request."""
        from mlflow.entities import Metric

        now = int(1000 * time.time())
        made = [Metric(f"{group}/{k}", v, now, step) for k, v in scalars.items()]
        self._client.log_batch(self.name, metrics=made)

    def picture(self, name: str, step: int, file: Path) -> None:
        """Log a picture as an artifact."""
        self._client.log_artifact(self.name, str(file), f"pictures/step_{step}")

    def close(self) -> None:
        """Mark the run as finished."""
        self._client.set_terminated(self.name)


TRACKERS = {"wandb": WandbTracker, "mlflow": MlflowTracker}


class Forgiving(Tracker):
    """Gives a tracker up, with a note, as soon as it fails."""

    def __init__(self, kind: str, tracker: Tracker):
        self._kind, self._tracker = kind, tracker

    def write(self, group: str, step: int, scalars: Mapping[str, float]) -> None:
        """Pass the scalars on."""
        self._try("write", group, step, scalars)

    def picture(self, name: str, step: int, file: Path) -> None:
        """Pass a picture on."""
        self._try("picture", name, step, file)

    def close(self) -> None:
        """Close the tracker."""
        self._try("close")

    def _try(self, what, *arguments):
        try:
            getattr(self._tracker, what)(*arguments)
        except Exception as error:  # whatever a server or a foreign library can fail with
            log(f"NOTE: {self._kind} is given up; metrics.jsonl goes on. It failed with: {error}")
            self._tracker = Tracker()


def check_tracker(kind: str) -> None:
    """Refuse a tracker whose package is missing.

    Raises:
        UserError: naming what to install.
    """
    if kind and importlib.util.find_spec(PACKAGES[kind]) is None:
        raise UserError(
            f"train.tracker = '{kind}' needs the package {PACKAGES[kind]}: "
            f"pip install 'dmcf_jax[{kind}]', or leave train.tracker empty",
            about="train.tracker",
        )


def open_tracker(kind: str, workdir: Path, config: Mapping[str, Any]) -> Tracker:
    """Return the tracker of a run that starts or resumes; call it in one process only.

    Args:
        kind: 'wandb', 'mlflow' or '' for none.
        config: every field of the run, flattened.
    """
    if not kind:
        return Tracker()
    path = workdir / NAME
    known = read_json(path).get(kind) if path.exists() else None
    try:
        tracker = TRACKERS[kind](workdir, config, known)
    except Exception as error:  # no server, no key: as below, training goes on
        log(f"NOTE: {kind} cannot be used; metrics.jsonl is written as always. {error}")
        return Tracker()
    write_atomically(path, json.dumps({kind: tracker.name}) + "\n")
    return Forgiving(kind, tracker)
