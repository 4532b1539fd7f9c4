"""From where a run starts, and when its later parts begin."""

from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

# Share of the run after which what needs a trained network begins, where the config names no step.
LATE = 0.6


def starts_at_random(config: ConfigDict | Mapping[str, Any]) -> bool:
    """Return whether a new run gives its streams no weights.

    Args:
        config: also as fields by dotted name.
    """
    return not config["model.pretrained"] and not config["init_from"]


def weighting_start(config: ConfigDict) -> int:
    """Return the step at which eq. 15 replaces the plain sum; past the end when disabled."""
    if not config.mtl.enabled:
        return config.train.steps + 1
    if config.mtl.start_step is None:
        return round(LATE * config.train.steps)
    return config.mtl.start_step


def triplet_start(config: ConfigDict) -> int:
    """Return the step from which the triplet losses count.

    Deviation: late where streams start at random, of which the paper does not speak.
    """
    if config.loss.triplet_start_step is not None:
        return config.loss.triplet_start_step
    return round(LATE * config.train.steps) if starts_at_random(config) else 0
