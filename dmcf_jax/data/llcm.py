"""LLCM (Zhang and Wang, CVPR 2023) as a TFDS builder."""

from pathlib import Path

from dmcf_jax.data import llcm_tree
from dmcf_jax.data.record_builder import TreeBuilder
from dmcf_jax.data.tree import Listing


class Llcm(TreeBuilder):
    """LLCM: 1,064 people in nine low-light cameras, visible and near infrared.

    Splits `train` (713 identities) and `test` (351).
    """

    name = "llcm"

    def inspect(self, root: Path) -> Listing:
        return llcm_tree.inspect(root)
