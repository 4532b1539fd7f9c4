"""Measure one thing and print one JSON object.

python scripts/benchmark.py --what=ranking
python scripts/benchmark.py --what=train_step --config=configs/regdb.py --config.sampler.P=2
python scripts/benchmark.py --what=network --config=configs/regdb.py --devices=8
"""

import json

from absl import flags
from ml_collections import config_flags

from dmcf_jax.cli import app as command_line

WHAT = ("train_step", "embed", "ranking", "feed", "startup", "network", "search")
_WHAT = flags.DEFINE_enum("what", None, WHAT, "What to measure", required=True)
_DEVICES = flags.DEFINE_integer("devices", 8, "Virtual CPU devices to compile for (network only)")
_REPEATS = flags.DEFINE_integer("repeats", 7, "Timed repetitions; the median is reported")
_CONFIG = config_flags.DEFINE_config_file(
    "config", "configs/synthetic.py", "Network, batch, size and dtype; ranking and search need none"
)


def main() -> None:
    """Measure and print."""
    print(json.dumps(_measure(_WHAT.value, _REPEATS.value), indent=2))


def _measure(what, repeats):
    if what == "ranking":
        from benchmarks.ranking import benchmark_ranking

        return benchmark_ranking(repeats)
    if what == "train_step":
        from benchmarks.train_step import benchmark_train_step

        return benchmark_train_step(_CONFIG.value, repeats)
    if what == "embed":
        from benchmarks.embed import benchmark_embed

        return benchmark_embed(_CONFIG.value, repeats)
    if what == "feed":
        from benchmarks.feed import benchmark_feed

        return benchmark_feed(_CONFIG.value, repeats)
    if what == "search":
        from benchmarks.search import benchmark_search

        return benchmark_search(repeats)
    if what == "network":
        from benchmarks.network import network_of_a_step

        return network_of_a_step(_CONFIG.value, _DEVICES.value)
    from benchmarks.startup import benchmark_startup

    return benchmark_startup(config_flags.get_config_filename(flags.FLAGS["config"]), repeats)


if __name__ == "__main__":
    command_line.run(main)
