"""Measure one thing and print one JSON object.

python scripts/benchmark.py --what=ranking
python scripts/benchmark.py --what=train_step --config=configs/regdb.py --config.sampler.P=2
"""

import json

from absl import flags
from ml_collections import config_flags

from dmcf_jax import command_line

_WHAT = flags.DEFINE_enum("what", None, ["ranking", "train_step"], "What to measure", required=True)
_REPEATS = flags.DEFINE_integer("repeats", 7, "Timed repetitions; the median is reported")
_CONFIG = config_flags.DEFINE_config_file("config", "configs/synthetic.py", "For train_step")


def main() -> None:
    """Measure and print."""
    if _WHAT.value == "ranking":
        from dmcf_jax.benchmarks.ranking import benchmark_ranking

        found = benchmark_ranking(_REPEATS.value)
    else:
        from dmcf_jax.benchmarks.train_step import benchmark_train_step

        found = benchmark_train_step(_CONFIG.value, _REPEATS.value)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    command_line.run(main)
