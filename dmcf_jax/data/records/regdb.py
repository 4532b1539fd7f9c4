"""RegDB (Nguyen et al., Sensors 2017), ten trials, as a TFDS builder."""

from pathlib import Path

import tensorflow_datasets as tfds

from dmcf_jax.data.datasets import regdb as regdb_tree
from dmcf_jax.data.datasets.listing import Listing
from dmcf_jax.data.records.builder import TreeBuilder


class RegDB(TreeBuilder):
    """RegDB: 412 people, ten visible and ten thermal images each.

    The configs trial_1 .. trial_10 are ten splits into 206 identities to train on and 206 to
    test on.
    """

    name = "regdb"
    BUILDER_CONFIGS = [
        tfds.core.BuilderConfig(name=f"trial_{n}", description=f"The split lists idx/*_{n}.txt.")
        for n in regdb_tree.TRIALS
    ]

    @property
    def trial(self) -> int:
        """The number of the trial, 1 to 10."""
        return int(self.builder_config.name.removeprefix("trial_"))

    def inspect(self, root: Path) -> Listing:
        return regdb_tree.inspect(root, (self.trial,))[self.trial]
