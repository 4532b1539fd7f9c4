"""LLCM (Zhang and Wang, CVPR 2023) as a TFDS builder."""

from pathlib import Path

from dmcf_jax.data.datasets import llcm as llcm_tree
from dmcf_jax.data.datasets.listing import Listing
from dmcf_jax.data.records.builder import TreeBuilder


class Llcm(TreeBuilder):
    """LLCM: 1,064 people in nine low-light cameras, visible and near infrared.

    Splits `train` (713 identities) and `test` (351).
    """

    name = "llcm"

    def inspect(self, root: Path) -> Listing:
        return llcm_tree.inspect(root)
