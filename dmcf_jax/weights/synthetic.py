"""The weights in the package: a small network pretrained on synthetic people.

`synthetic.safetensors` holds one stream under torchvision's names, which both modalities start
from, and the reductions of the heads, in float16. Its metadata says how it was made.
"""

import json
from pathlib import Path
from typing import Any

from safetensors import safe_open

from dmcf_jax.errors import Problem, UserError
from dmcf_jax.weights.read import read_weights
from dmcf_jax.weights.torch_names import from_torch

NAME = "synthetic"  # what `model.pretrained` calls them
FILE = Path(__file__).with_name("synthetic.safetensors")
# What they were trained on, as a run's data.json says it.
DATA = {"dataset": "4,000 synthetic people of seed 1000", "trial": None, "records_sha256": {}}
# Fields without which the numbers mean nothing: the network's shape and what it looks at.
NEEDED = (
    "model.stage_sizes",
    "model.width",
    "model.last_stride",
    "data.input",
    "data.standardise",
)


def load_synthetic() -> dict:
    """Return the variables of the stream (`conv1`, ...) and of the heads (`heads_G1`, ...)."""
    return from_torch(read_weights(FILE))


def trained_with() -> dict[str, Any]:
    """Return the config fields of the pretraining, by their dotted names."""
    with safe_open(FILE, "np") as file:
        fields = json.loads(file.metadata()["config"])
    return {"model.backbone": "resnet"} | fields  # the file may be older than this field


def refuse_other_networks(fields: dict[str, Any]) -> None:
    """Refuse a config whose network the weights do not fit.

    Args:
        fields: config fields by dotted name, tuples as lists.

    Raises:
        UserError: naming each field of `NEEDED` that differs, and another backbone.
    """
    expected = trained_with()
    problems = [
        Problem(name, f"{name} is {fields[name]!r}, but the weights need {expected[name]!r}")
        for name in ("model.backbone", *NEEDED)
        if fields[name] != expected[name]
    ]
    if problems:
        raise UserError.listing(
            "model.pretrained='synthetic' does not fit this config:",
            problems,
            "Change these fields, or name other weights.",
        )
