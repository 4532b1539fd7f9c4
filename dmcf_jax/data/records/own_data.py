"""A user's own pictures as a TFDS builder."""

from pathlib import Path
from typing import Any

from dmcf_jax.data.datasets.listing import Listing
from dmcf_jax.data.datasets.own import OwnData
from dmcf_jax.data.records.builder import TreeBuilder


class Own(TreeBuilder):
    """A user's own visible and infrared pictures, listed in a CSV file or a folder tree."""

    name = "own"

    def __init__(self, *, found: OwnData, choices: dict[str, Any], **kwargs: Any):
        """Build what `found` lists; `choices` say how it was split and go to the metadata."""
        self._found, self._choices = found, choices
        super().__init__(**kwargs)

    def inspect(self, root: Path) -> Listing:
        return self._found.listing

    def _start_metadata(self, root: Path, listing: Listing) -> None:
        super()._start_metadata(root, listing)
        self.info.metadata.update(
            self._choices,
            list_sha256=self._found.digest(),
            identity_names={str(n): name for n, name in self._found.identities.items()},
            camera_names={str(n): name for n, name in self._found.cameras.items()},
        )
