"""The paper's method on RegDB: 5,000 steps, one run for each of the ten splits.

    dmcf train --config=regdb --config.data.trial=1 --workdir=runs/regdb_1

Published: CMC-1 39.75 %, mAP 40.79 %. Not reproduced here: RegDB
must be requested from its authors.
Ablations: `--config=regdb:no_split`, see default.py.
"""

from ml_collections import ConfigDict

from dmcf_jax.configs import default


def get_config(variant: str = "") -> ConfigDict:
    """Return the config; `variant` is an ablation of the paper's tables 2 and 3."""
    config = default.get_config()
    config.data.name = "regdb"
    config.train.steps = 5000  # paper
    return default.apply_variant(config, variant)
