"""The one tiny network of the tests; what a test needs otherwise is beside it as changes."""

from collections.abc import Mapping
from types import ModuleType

import jax
import numpy as np
from ml_collections import ConfigDict

from dmcf_jax.config.build import build_model
from dmcf_jax.configs import regdb
from dmcf_jax.models.initial import variable_shapes
from dmcf_jax.runs.load import TrainedModel

FIELDS = {
    "data.size": (48, 32),
    "data.pad": 2,
    "model.stage_sizes": (1, 1, 1, 1),
    "model.shared_from": "layer1",
    "model.levels": ("layer1", "layer2"),
    "model.stripes": (1, 2),
    "model.width": 4,
    "model.embedding_dim": 8,
    "sampler.P": 4,
    "sampler.K": 2,
    "loss.triplet_start_step": 0,
    "mtl.start_step": 3,
    "optim.lr_backbone": 0.003,
    "optim.lr_heads": 0.003,
    "optim.decay_at": (0.75,),
    "optim.random_start_factor": 1.0,
    "optim.schedule": "steps",
    "optim.warmup_steps": 0,
    "model.pretrained": "",
    "model.block_start": "full",  # the first step reaches every parameter
    "model.classifier_start": "random",
    "train.steps": 8,
    "train.checkpoint_every": 4,
    "train.log_every": 1,
}
# Changes that several tests make.
ONE_LEVEL = {"data.size": (32, 32), "model.levels": ("layer1",), "model.stripes": (1,)}
PAPERS_LEVELS = {
    "data.size": (96, 48),
    "model.levels": ("layer2", "layer3", "layer4"),
    "model.stripes": (1, 2, 3),
}


def config(changes: Mapping = {}, base: ModuleType = regdb, variant: str = "") -> ConfigDict:
    """Return the config `base` with the tiny network and `changes` (field: value)."""
    made = base.get_config(variant)
    made.update_from_flattened_dict(FIELDS | dict(changes))
    return made


def as_flags(changes: Mapping = {}, prefix: str = "--config.") -> list[str]:
    """Return the tiny network with `changes` as words of a command line."""
    return [f"{prefix}{field}={value}" for field, value in (FIELDS | dict(changes)).items()]


def model(changes: Mapping = {}, identities: int = 3) -> TrainedModel:
    """Return the tiny network with weights and statistics that are drawn, not trained."""
    settings = config(changes)
    network = build_model(settings, identities)
    draw = np.random.default_rng(0)
    shapes = variable_shapes(network, settings.data.size)
    variables = jax.tree.map(
        lambda leaf: draw.uniform(0.1, 0.5, leaf.shape).astype(np.float32), shapes
    )
    variables["params"] = jax.tree.map(lambda leaf: leaf - np.float32(0.3), variables["params"])
    return TrainedModel(settings, network, variables, 0, "last")
