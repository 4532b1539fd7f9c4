"""Measure one thing and print one JSON object.

dmcf benchmark --what=ranking
dmcf benchmark --what=train_step --config=regdb --config.sampler.P=2
dmcf benchmark --what=network --config=regdb --devices=8
"""

import importlib
import json

from absl import flags

from dmcf_jax.cli import app
from dmcf_jax.config.read import define_config

# Module and function of each measurement.
WHAT = {
    "train_step": "benchmark_train_step",
    "embed": "benchmark_embed",
    "ranking": "benchmark_ranking",
    "feed": "benchmark_feed",
    "startup": "benchmark_startup",
    "network": "network_of_a_step",
    "compiled_program": "benchmark_compiled_program",
    "search": "benchmark_search",
    "verification": "benchmark_verification",
}
_WHAT = flags.DEFINE_enum("what", None, list(WHAT), "What to measure", required=True)
_DEVICES = flags.DEFINE_integer("devices", 8, "Virtual CPU devices to compile for (network only)")
_REPEATS = flags.DEFINE_integer("repeats", 7, "Timed repetitions; the median is reported")
_CONFIG = define_config("Network, batch, size and dtype; embeddings need none", default="synthetic")


def main() -> None:
    """Measure and print."""
    what = _WHAT.value
    measure = getattr(importlib.import_module(f"benchmarks.{what}"), WHAT[what])
    if what in ("ranking", "search", "verification"):
        result = measure(_REPEATS.value)
    elif what == "compiled_program":
        result = measure(_CONFIG.value)
    elif what == "network":
        result = measure(_CONFIG.value, _DEVICES.value)
    elif what == "startup":
        result = measure(flags.FLAGS["config"].config_filename, _REPEATS.value)
    else:
        result = measure(_CONFIG.value, _REPEATS.value)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    app.run(main)
