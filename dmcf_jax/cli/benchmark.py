"""Measure speed or memory (needs a clone: a wheel has no benchmarks).

dmcf benchmark --what=ranking
dmcf benchmark --what=train_step --config=regdb --config.sampler.P=2
dmcf benchmark --what=network --config=regdb --devices=8
"""

import runpy
import sys

from dmcf_jax.cli import app

if __name__ == "__main__":
    if not app.BENCHMARKS.is_dir():
        print("error: dmcf benchmark needs a clone installed by pip install -e .", file=sys.stderr)
        sys.exit(2)
    sys.path.insert(0, str(app.BENCHMARKS.parent))
    runpy.run_module("benchmarks", run_name="__main__", alter_sys=True)
