"""How long the training of a whole config takes: some of its steps, and the rest extrapolated."""

import statistics
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.gpu_sizes import Sizes, make_tiny

DTYPE = "bfloat16"
LINES = 10  # of the metrics log, of which the first two are left out


def schedule(sizes: Sizes, facts: dict, data: str) -> dict[str, Any]:
    """Train by the config of `data`, 'sysu_mm01' or 'regdb', on synthetic people.

    `seconds`: of the whole schedule: the first start and every step at the median speed of those
        that were taken. Checkpoints and lines of the log are part of it, evaluation is not.
    `data_wait`: the share of time for which training waited for its next batch.
    """
    from dmcf_jax.data.datasets import DATASETS
    from dmcf_jax.data.records.prepare_synthetic import prepare_synthetic
    from dmcf_jax.runs.metrics_log import read_metrics
    from dmcf_jax.train import train

    config = import_module(f"dmcf_jax.configs.{data}").get_config()
    steps, config.train.steps = config.train.steps, sizes.steps
    config.dtype, config.train.log_every = DTYPE, sizes.steps // LINES
    if sizes.tiny:
        make_tiny(config)
        config.sampler.P = 2
    with tempfile.TemporaryDirectory() as folder:
        config.data.data_dir = folder
        prepare_synthetic(data, sizes.people, 0, folder, trial=DATASETS[data].trial(1))
        start = time.perf_counter()
        train(config, Path(folder, "run"))
        taken = time.perf_counter() - start
        lines = read_metrics(Path(folder, "run", "metrics.jsonl"))[2:]
    speed = statistics.median(line["images_per_second"] for line in lines)
    a_step = 2 * config.sampler.P * config.sampler.K / speed
    start_up = max(0.0, taken - sizes.steps * a_step)
    return {
        "what": f"schedule of {data}",
        "seconds": start_up + steps * a_step,
        "images_per_second": speed,
        "steps": steps,
        "steps_taken": sizes.steps,
        "seconds_of_a_step": a_step,
        "start_up_seconds": start_up,
        "data_wait": statistics.mean(line["data_wait"] for line in lines),
        "dtype": DTYPE,
    }
