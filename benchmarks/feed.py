"""The data pipeline: speed from records on disk to pixels, and how long training waits for it."""

import io
import statistics
import tempfile
import time
from pathlib import Path

import jax
import numpy as np
from ml_collections import ConfigDict
from PIL import Image

from dmcf_jax.data import decode
from dmcf_jax.data.datasets import DATASETS
from dmcf_jax.data.image_store import load_images
from dmcf_jax.data.records.prepare_synthetic import prepare_synthetic
from dmcf_jax.data.records.prepared import directory
from dmcf_jax.data.records.reader import Records
from dmcf_jax.runs.metrics_log import read_metrics
from dmcf_jax.runtime.threads import cores, map_in_threads
from dmcf_jax.train import train

LAYOUTS = {"regdb": "PNG", "sysu_mm01": "JPEG"}
IDENTITIES = 300
STEPS = 120  # of training, whose waiting is measured after the first twenty


def benchmark_feed(config: ConfigDict, repeats: int = 5) -> dict:
    """Return records-to-pixels speed against Pillow alone, and the share of training's waiting.

    `decoding`: for PNGs as RegDB's and JPEGs as SYSU-MM01's, images a second from cold
    records to verified pixels in the cache, and what Pillow reaches when it only decodes and
    resizes the same bytes, held in memory, on as many threads; the two take turns.
    `data_wait`: share of time that training by `config` waits for its next batch.
    """
    with tempfile.TemporaryDirectory() as folder:
        decoding = {kind: _decoding(config, kind, Path(folder), repeats) for kind in LAYOUTS}
        wait = _data_wait(config, Path(folder))
    first = decoding["regdb"]
    return {
        "what": "feed",
        "seconds": first["seconds"],
        "images_per_second": first["images_per_second"],
        "device": jax.devices()[0].device_kind,
        "threads": cores(),
        "decoding": decoding,
        "data_wait": wait,
    }


def _decoding(config, layout, folder, repeats):
    trial = DATASETS[layout].trial(1)
    prepare_synthetic(layout, IDENTITIES, 0, folder, trial=trial)
    split = ("train",)
    records = Records(directory(layout, folder, trial), "train")
    encoded = [records[row]["image"] for row in range(len(records))]
    size, resample = tuple(config.data.size), config.data.filter
    ours, pillow = [], []
    for _ in range(repeats + 1):
        with tempfile.TemporaryDirectory(dir=folder) as cache:
            ours.append(
                _time(
                    lambda: load_images(
                        layout, folder, split, size, trial=trial, resample=resample, cache_dir=cache
                    )
                )
            )
        pillow.append(_time(lambda: _pillow_alone(encoded, size, resample)))
    seconds, alone = (statistics.median(found[1:]) for found in (ours, pillow))
    return {
        "format": LAYOUTS[layout],
        "images": len(encoded),
        "bytes_per_image": sum(map(len, encoded)) / len(encoded),
        "seconds": seconds,
        "seconds_pillow_alone": alone,
        "images_per_second": len(encoded) / seconds,
        "share_of_pillow": alone / seconds,
    }


def _pillow_alone(encoded, size, resample):
    """Decode and resize, nothing else: no records, no hashes, no cache."""

    def pixels(data):
        image = Image.open(io.BytesIO(data)).convert("RGB")
        return np.asarray(image.resize((size[1], size[0]), decode.FILTERS[resample]))

    for _ in map_in_threads(pixels, encoded):
        pass


def _time(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _data_wait(config, folder):
    """Train some steps and return the share of waiting in what was logged after the first lines."""
    config.data.name, config.data.data_dir, config.data.trial = "regdb", str(folder), 1
    config.train.steps, config.train.log_every = STEPS, 10
    train(config, folder / "run")
    lines = read_metrics(folder / "run" / "metrics.jsonl")
    return statistics.mean(line["data_wait"] for line in lines[2:])
