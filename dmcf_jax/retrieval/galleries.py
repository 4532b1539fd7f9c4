"""Several sets of embeddings searched as one gallery."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from dmcf_jax.errors import UserError
from dmcf_jax.retrieval.embedding_set import EmbeddingSet


class Galleries:
    """Sets of embeddings of one model, one after the other.

    Attributes:
        sets: the sets.
        root: the folder that paths start from: of several, paths are absolute.
    """

    def __init__(self, sets: Sequence[EmbeddingSet], root: Path | None = None):
        """Keep the sets.

        Args:
            root: where the pictures are now; None for where they were embedded.
        """
        self.sets, self._root = list(sets), root
        self._starts = np.concatenate([[0], np.cumsum([len(one) for one in sets])]).astype(int)

    def __len__(self) -> int:
        return int(self._starts[-1])

    @property
    def root(self) -> Path:
        """The folder that the paths of `labels` start from."""
        return (self._root or self.sets[0].root) if len(self.sets) == 1 else Path("/")

    def blocks(self) -> Iterator[Float[np.ndarray, "n d"]]:
        """Yield the embeddings, float32, a shard at a time."""
        for one in self.sets:
            yield from one.blocks()

    def labels(self, rows: Iterable[int]) -> dict[int, dict[str, str]]:
        """Return path, identity, camera and modality of each of `rows`, by row."""
        rows, found = np.unique(np.fromiter(rows, np.int64)), {}
        for one, start, end in zip(self.sets, self._starts, self._starts[1:], strict=False):
            inside = rows[(rows >= start) & (rows < end)]
            root = self._root or one.root
            for row, label in one.labels((inside - start).tolist()).items():
                path = label["path"] if len(self.sets) == 1 else str(root / label["path"])
                found[int(row + start)] = label | {"path": path}
        return found

    def alone(self) -> EmbeddingSet:
        """Return the only set, which an index belongs to.

        Raises:
            UserError: there are several.
        """
        if len(self.sets) > 1:
            text = "--index searches in one gallery: embed all into one folder with --add"
            raise UserError(text, about="--index")
        return self.sets[0]

    def missing(self, matches: Iterable[dict[str, Any]]) -> list[Path]:
        """Return the pictures of `matches` that are not where they were."""
        paths = {self.root / match["path"] for match in matches}
        return sorted(path for path in paths if not path.is_file())
