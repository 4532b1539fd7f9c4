"""SYSU-MM01 (Wu et al., ICCV 2017) as a TFDS builder."""

from pathlib import Path

from dmcf_jax.data.datasets import sysu_mm01 as sysu_mm01_tree
from dmcf_jax.data.datasets.listing import Listing
from dmcf_jax.data.records.builder import TreeBuilder


class SysuMm01(TreeBuilder):
    """SYSU-MM01: 491 people in four visible and two near-infrared cameras.

    Splits `train` (296 identities), `val` (99) and `test` (96); the field trains on train+val.
    """

    name = "sysu_mm01"

    def inspect(self, root: Path) -> Listing:
        return sysu_mm01_tree.inspect(root)
