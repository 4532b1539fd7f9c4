"""A config so small that the tutorial can be run by a test."""

import sys
from pathlib import Path

from ml_collections import ConfigDict

sys.path.insert(0, str(Path(__file__).parents[1]))  # read as a config file, too

from support import tiny  # noqa: E402

from dmcf_jax.configs import own  # noqa: E402


def get_config(variant: str = "") -> ConfigDict:
    """Return the tutorial's config with the tiny network."""
    return tiny.config({"sampler.P": 2}, base=own, variant="quick")
