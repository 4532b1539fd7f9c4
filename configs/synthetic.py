"""The demo: synthetic people in RegDB's layout and a small network; minutes on two cores.

    dmcf demo

README.md shows its results. It starts from random weights instead of ImageNet's and trains for
minutes; therefore the streams share all but their stems, learning rates are higher, and the
triplet losses start late.
"""

from ml_collections import ConfigDict

from dmcf_jax.configs import default

IDENTITIES = 300  # synthetic people; half of them train, half test


def get_config(variant: str = "") -> ConfigDict:
    """Return the config; `variant` is an ablation of the paper's tables 2 and 3."""
    config = default.get_config()
    config.data.name = "regdb"
    config.data.size = (96, 48)
    config.data.pad = 2
    config.sampler.P = 16
    config.sampler.K = 2
    config.model.stage_sizes = (1, 1, 1, 1)
    config.model.width = 16
    config.model.embedding_dim = 64
    config.model.shared_from = "layer1"
    config.loss.triplet_start_step = 290
    config.optim.lr_backbone = 0.003
    config.optim.lr_heads = 0.003
    config.optim.decay_at = (0.75,)
    config.train.steps = 800
    config.train.checkpoint_every = 320
    config.train.log_every = 10
    return default.apply_variant(config, variant)
