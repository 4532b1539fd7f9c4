"""How much benchmarks/gpu.sh measures: on a GPU as the field trains, on a CPU so that it runs."""

from typing import NamedTuple

from ml_collections import ConfigDict

from dmcf_jax.configs import sysu_mm01

DTYPES = ("bfloat16", "float32")


class Sizes(NamedTuple):
    """How much is measured.

    Attributes:
        large, small: images in the two batches.
        repeats, rounds: timed repetitions, and steps in each.
        gallery, width: rows and numbers of the embeddings that are searched; protocols are
            evaluated on embeddings of this width.
        steps: of a schedule that are taken; the rest is extrapolated.
        people: synthetic, in the data sets that are trained on.
        tiny: a network as small as it gets instead of the paper's.
    """

    large: int = 256
    small: int = 64
    repeats: int = 5
    rounds: int = 20
    gallery: int = 1_000_000
    width: int = 2048
    steps: int = 500
    people: int = 100
    tiny: bool = False


SIZES = {"full": Sizes(), "small": Sizes(32, 16, 2, 1, 20_000, 64, 20, 20, True)}


def config_of(sizes: Sizes, dtype: str, images: int) -> ConfigDict:
    """Return SYSU-MM01's config with that batch."""
    config = sysu_mm01.get_config()
    config.dtype, config.sampler.P = dtype, images // (2 * config.sampler.K)
    if sizes.tiny:
        make_tiny(config)
    return config


def make_tiny(config: ConfigDict) -> None:
    """Make the network of a config so small that nearly all of its time is its compilation."""
    config.data.size, config.data.pad = (64, 32), 2
    config.model.stage_sizes, config.model.width = (1, 1, 1, 1), 2
    config.model.levels, config.model.stripes = ("layer4",), (1,)
    config.model.embedding_dim = 4
