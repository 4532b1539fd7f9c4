"""Try thousands of random bad inputs; print one JSON object and end with status 1 if any fails.

python tests/fuzz/long_form.py --cases=2000 --seed=1
"""

import argparse
import json
import sys
import time
import traceback
import warnings
from functools import partial
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]


def kinds() -> dict:
    """Return share of the cases, strategy and check of each kind."""
    from fuzz import config_cases, feature_cases, own_cases, shared_cases, tree_cases

    build = partial(config_cases.check_config, build=True)
    return {
        "own data": (0.1, own_cases.cases, own_cases.check_own),
        "words": (0.05, own_cases.words, own_cases.check_words),
        "shared models": (0.05, shared_cases.cases, shared_cases.check_shared),
        "configs": (0.2, config_cases.changed_configs(), build),
        "overrides": (0.1, config_cases.overrides, config_cases.check_overrides),
        "features": (0.2, feature_cases.cases, feature_cases.check_features),
        "trees": (0.3, tree_cases.cases, tree_cases.check_tree),
    }


def main() -> int:
    """Run the long form by the flags."""
    from support.verdict import try_cases

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    flags = parser.parse_args()
    warnings.simplefilter("ignore")
    started, ends, failures = time.monotonic(), {}, []
    for name, (share, strategy, check) in kinds().items():
        try:
            ends[name] = try_cases(strategy, check, round(share * flags.cases), flags.seed)
        except Exception:
            failures.append(f"{name}: {traceback.format_exc()[-3000:]}")
    print(
        json.dumps(
            {
                "what": "fuzz",
                "cases": sum(found.total() for found in ends.values()),
                "ends": ends,
                "failures": failures,
                "seed": flags.seed,
                "seconds": round(time.monotonic() - started),
            }
        )
    )
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
