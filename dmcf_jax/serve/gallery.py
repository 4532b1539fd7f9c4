"""The gallery that is searched while the server runs: in memory, filtered, and growing."""

import os
import threading
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Shaped

from dmcf_jax.retrieval.embedding_set import TEXTS, EmbeddingSet
from dmcf_jax.retrieval.top_k import BLOCK, top_k


class Filter(NamedTuple):
    """Which pictures are searched; None does not restrict.

    Attributes:
        cameras: names.
        since, until: seconds since 1970, of the last change of a picture's file.
    """

    cameras: Collection[str] | None = None
    since: float | None = None
    until: float | None = None


class NewPicture(NamedTuple):
    """A picture that was added while the server runs: its file, labels and embedding."""

    file: Path
    labels: dict[str, str]
    vector: Float[np.ndarray, " d"]


class ServedGallery:
    """Embeddings and labels in memory: shards are not read again, whatever number of threads asks.

    Its methods may be called from several threads.
    """

    def __init__(self, sets: Sequence[EmbeddingSet], root: Path | None = None):
        """Read everything.

        Args:
            sets: embeddings of one model.
            root: where their pictures are now; None for where they were embedded.
        """
        self._roots = [root or one.root for one in sets]
        self._ends = np.cumsum([len(one) for one in sets])
        self._blocks = [block for one in sets for block in one.blocks()]
        self._texts = {name: _column(sets, name) for name in TEXTS}
        self._cameras = np.array([_decoded(camera) for camera in self._texts["camera"]], object)
        self._times = np.array([_time(self.file(row)) for row in range(len(self))])
        self._added: list[NewPicture] = []
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._cameras)

    def cameras(self) -> list[str]:
        """Return the names of all cameras; '' where one is not known."""
        return sorted(set(self._cameras.tolist()))

    def add(self, picture: NewPicture) -> int:
        """Add a picture and return its row."""
        with self._lock:
            row = len(self)
            self._added.append(picture)
            self._cameras = np.append(self._cameras, np.array([picture.labels["camera"]], object))
            self._times = np.append(self._times, _time(picture.file))
            last = self._blocks[-1] if len(self._added) > 1 else picture.vector[:0].reshape(0, 0)
            if len(last) and len(last) < BLOCK:
                self._blocks[-1] = np.concatenate([last, picture.vector[None]])
            else:
                self._blocks.append(picture.vector[None])
            return row

    def search(
        self, vector: Float[np.ndarray, " d"], top: int, chosen: Filter
    ) -> list[dict[str, Any]]:
        """Return the best matches, best first, with row, rank, score, time and labels.

        Args:
            vector: embedding of the query, unit length.
            top: most matches.
            chosen: what is searched.
        """
        with self._lock:  # arrays are replaced, never changed, so that these stay as they are
            blocks, times = list(self._blocks), self._times
            mask = self._mask(chosen)
        rows = None
        if mask is not None:
            rows = np.flatnonzero(mask)
            ends = np.cumsum([len(block) for block in blocks])[:-1]
            parts = np.split(mask, ends)
            blocks = [block[part] for block, part in zip(blocks, parts, strict=True) if part.any()]
        if not blocks:
            return []
        scores, found = top_k(vector[None], blocks, top)
        places = found[0] if rows is None else rows[found[0]]
        labels = self.labels(places.tolist())
        return [
            {"row": row, "rank": rank, "score": float(score), "time": times[row], **labels[row]}
            for rank, (row, score) in enumerate(zip(places.tolist(), scores[0], strict=True), 1)
        ]

    def _mask(self, chosen: Filter) -> Bool[np.ndarray, " n"] | None:
        mask = np.ones(len(self), bool)
        if chosen.cameras is not None:
            mask &= np.isin(self._cameras.astype(str), list(chosen.cameras))
        if chosen.since is not None:
            mask &= self._times >= chosen.since
        if chosen.until is not None:
            mask &= self._times <= chosen.until
        return None if mask.all() else mask

    def labels(self, rows: Iterable[int]) -> dict[int, dict[str, str]]:
        """Return path, identity, camera and modality of each of `rows`, by row."""
        stored = int(self._ends[-1])
        return {
            row: self._stored_labels(row) if row < stored else self._added[row - stored].labels
            for row in rows
        }

    def _stored_labels(self, row: int) -> dict[str, str]:
        return {name: _decoded(self._texts[name][row]) for name in TEXTS}

    def file(self, row: int) -> Path:
        """Return the file of a picture.

        Raises:
            IndexError: there is no such row.
        """
        if not 0 <= row < len(self):
            raise IndexError(row)
        if row >= self._ends[-1]:
            return self._added[row - int(self._ends[-1])].file
        root = self._roots[int(np.searchsorted(self._ends, row, side="right"))]
        return root / _decoded(self._texts["path"][row])


def _column(sets: Sequence[EmbeddingSet], name: str) -> Shaped[np.ndarray, " n"]:
    """Return a label of all rows as UTF-8, a quarter of the memory of text."""
    columns = (column for one in sets for column in one.column(name))
    return np.concatenate([np.char.encode(c, "utf-8", "surrogateescape") for c in columns])


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")


def _time(file: Path) -> float:
    """Return when a file was changed last; NaN, which no filter takes, where it is gone."""
    try:
        return os.stat(file).st_mtime
    except OSError:
        return float("nan")
