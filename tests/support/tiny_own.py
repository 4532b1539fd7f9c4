"""A config so small that the tutorial can be run by a test."""

from ml_collections import ConfigDict

from dmcf_jax.configs import own


def get_config(variant: str = "") -> ConfigDict:
    """Return the tutorial's config with two levels of four channels."""
    config = own.get_config("quick")
    config.data.size = (48, 32)
    config.model.update(levels=("layer1", "layer2"), stripes=(1, 2), width=4, embedding_dim=8)
    config.sampler.P, config.sampler.K = 2, 2
    return config
