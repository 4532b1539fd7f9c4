"""Weights & Biases and MLflow offline, trackers that fail, and pictures in TensorBoard."""

import contextlib
import json
import struct
import time

import numpy as np
import pytest
from PIL import Image

from dmcf_jax.config.validate import flatten
from dmcf_jax.configs import default
from dmcf_jax.errors import UserError
from dmcf_jax.runs import trackers
from dmcf_jax.runs.metrics_log import MetricWriter, TensorBoardFile, read_metrics
from dmcf_jax.runs.run import Run
from dmcf_jax.runs.trackers import Tracker, check_tracker, open_tracker
from dmcf_jax.runtime.signals import Interruption

CONFIG = flatten(default.get_config())


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "lists.png"
    Image.fromarray(np.full((6, 4, 3), 200, np.uint8)).save(path)
    return path


class Remembering(Tracker):
    """Stands for a tracker: keeps what it is told, and fails from the step `fails` on."""

    made: list["Remembering"] = []

    def __init__(self, workdir, config, known, fails=1000):
        self.name, self.known, self.told, self.fails = "run-7", known, [], fails
        self.made.append(self)

    def write(self, group, step, scalars):
        """Keep the scalars."""
        if step >= self.fails:
            raise ConnectionError("no route")
        self.told.append((group, step, scalars["loss"]))

    def picture(self, name, step, file):
        """Keep the name."""
        self.told.append((name, step, file.name))

    def close(self):
        """Keep that it was closed."""
        self.told.append("closed")


@pytest.fixture
def remembering(monkeypatch):
    monkeypatch.setattr(Remembering, "made", [])
    monkeypatch.setitem(trackers.TRACKERS, "wandb", Remembering)
    monkeypatch.setitem(trackers.PACKAGES, "wandb", "json")
    return Remembering.made


def test_a_run_logs_to_its_tracker_and_a_resumed_one_goes_on_in_it(tmp_path, remembering, picture):
    config = default.get_config()
    config.train.tracker = "wandb"
    workdir = tmp_path / "run"
    for start in range(2):
        with Interruption() as interruption, Run(workdir, config, interruption) as run:
            for log, loss in (("metrics", 2.0), ("evaluations", 1.0)):
                with contextlib.closing(run.open_log(log)) as writer:
                    writer.write(start, {"loss": loss})
            run.show({"lists": picture}, start)
    first, second = remembering
    shown = [("metrics", 0, 2.0), ("evaluations", 0, 1.0), ("lists", 0, "lists.png"), "closed"]
    assert first.told == shown
    assert (first.known, second.known) == (None, "run-7")


def test_a_run_that_logs_nothing_opens_no_tracker(tmp_path, remembering):
    config = default.get_config()
    config.train.tracker = "wandb"
    with Interruption() as interruption, Run(tmp_path, config, interruption):
        pass
    assert not remembering


def test_a_tracker_that_fails_is_given_up_and_training_goes_on(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(trackers.TRACKERS, "mlflow", lambda *given: Remembering(*given, fails=2))
    writer = MetricWriter(tmp_path, 0, "metrics", open_tracker("mlflow", tmp_path, CONFIG))
    for step in (1, 2, 3):
        writer.write(step, {"loss": 1.0})
    writer.close()
    assert len(read_metrics(tmp_path / "metrics.jsonl")) == 3
    assert capsys.readouterr().err.count("given up") == 1


def test_a_tracker_that_cannot_start_is_said(tmp_path, monkeypatch, capsys):
    def broken(*given):
        raise PermissionError("no key")

    monkeypatch.setitem(trackers.TRACKERS, "wandb", broken)
    open_tracker("wandb", tmp_path, CONFIG).write("metrics", 1, {"loss": 1.0})
    assert "no key" in capsys.readouterr().err and not (tmp_path / trackers.NAME).exists()


def test_a_missing_package_is_named_before_the_folder_is_made(tmp_path, monkeypatch):
    monkeypatch.setitem(trackers.PACKAGES, "mlflow", "not_installed_at_all")
    config = default.get_config()
    config.train.tracker = "mlflow"
    with pytest.raises(UserError) as error, Interruption() as interruption:
        Run(tmp_path / "run", config, interruption)
    assert error.value.about == ("train.tracker",) and not list(tmp_path.iterdir())
    check_tracker("")


@pytest.mark.slow
def test_weights_and_biases_offline(tmp_path, monkeypatch, picture):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    for step, loss in ((3, 1.625), (4, 0.8125)):
        tracker = open_tracker("wandb", tmp_path, CONFIG)
        tracker.write("metrics", step, {"loss": loss})
        tracker.picture("lists", step, picture)
        tracker.close()
        time.sleep(1.1)  # its folders are named by the second
    name = json.loads((tmp_path / trackers.NAME).read_text())["wandb"]
    files = sorted(tmp_path.glob(f"wandb/offline-run-*-{name}/*.wandb"))
    assert len(files) == 2  # both starts are one run
    written = b"".join(file.read_bytes() for file in files)
    for expected in (b"metrics/loss", b"1.625", b"0.8125", b"lists", b"dmcf_jax"):
        assert expected in written
    assert list(tmp_path.glob("wandb/offline-run-*/files/media/images/lists*.png"))


@pytest.mark.slow
def test_mlflow_on_disk(tmp_path, monkeypatch, picture):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"file:{tmp_path}/mlruns")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    for step, loss in ((3, 1.5), (4, 0.75)):
        tracker = open_tracker("mlflow", tmp_path, CONFIG)
        tracker.write("metrics", step, {"loss": loss})
        tracker.picture("lists", step, picture)
        tracker.close()
    name = json.loads((tmp_path / trackers.NAME).read_text())["mlflow"]
    client = mlflow.MlflowClient()
    history = client.get_metric_history(name, "metrics/loss")
    assert [(point.step, point.value) for point in history] == [(3, 1.5), (4, 0.75)]
    assert client.get_run(name).info.status == "FINISHED"
    stored = mlflow.artifacts.load_dict(f"runs:/{name}/config.json")
    assert stored["sampler.P"] == CONFIG["sampler.P"]
    assert [file.path for file in client.list_artifacts(name, "pictures/step_4")]


def test_a_picture_in_tensorboard_is_the_file(tmp_path, picture):
    from tensorboardX.proto.event_pb2 import Event

    board = TensorBoardFile(tmp_path / "board", 5)
    board.picture("lists", 7, picture)
    board.close()
    (file,) = (tmp_path / "board").iterdir()
    content, events = file.read_bytes(), []
    while content:  # TFRecord: length, checksum, data, checksum
        (length,) = struct.unpack("<Q", content[:8])
        events.append(Event.FromString(content[12 : 12 + length]))
        content = content[16 + length :]
    (value,) = events[-1].summary.value
    assert (events[-1].step, value.tag) == (7, "lists")
    assert (value.image.width, value.image.height) == (4, 6)
    assert value.image.encoded_image_string == picture.read_bytes()
