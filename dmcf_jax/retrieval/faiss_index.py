"""Approximate search by a faiss index, for galleries too large for the exact one."""

import hashlib
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from dmcf_jax.errors import UserError
from dmcf_jax.retrieval.embedding_set import EmbeddingSet
from dmcf_jax.runtime.files import atomic_path

TRAINED_ON = 200_000


def index_top_k(
    gallery: EmbeddingSet, queries: Float[np.ndarray, "q d"], k: int, factory: str
) -> tuple[Float[np.ndarray, "q k"], Int[np.ndarray, "q k"]]:
    """Return approximately what `top_k.top_k` returns, by a faiss index.

    The index is built once and kept beside the embeddings.

    Args:
        factory: faiss's description of an index, such as 'HNSW32', 'IVF1024,Flat' or 'Flat'.

    Raises:
        UserError: faiss is not installed, or does not know `factory`.
    """
    faiss = _faiss()
    index = _read_or_build(faiss, gallery, factory)
    scores, rows = index.search(np.ascontiguousarray(queries, np.float32), min(k, len(gallery)))
    return scores, rows.astype(np.int64)


def _faiss() -> Any:
    try:
        import faiss
    except ImportError:
        raise UserError(
            "--index needs faiss, which is not installed: pip install faiss-cpu. Without --index "
            "the search is exact and needs no other package.",
            about="--index",
        ) from None
    return faiss


def _read_or_build(faiss: Any, gallery: EmbeddingSet, factory: str) -> Any:
    name = hashlib.sha256(factory.encode()).hexdigest()[:12]
    path = gallery.folder / f"index-{name}.faiss"
    if path.exists():
        return faiss.read_index(str(path))
    index = _build(faiss, gallery, factory)
    with atomic_path(path, "Search without --index.") as temporary:
        faiss.write_index(index, str(temporary))
    return index


def _build(faiss: Any, gallery: EmbeddingSet, factory: str) -> Any:
    try:
        index = faiss.index_factory(gallery.dimension, factory, faiss.METRIC_INNER_PRODUCT)
        if not index.is_trained:
            index.train(_sample(gallery))
        for rows in gallery.blocks():
            index.add(rows)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        text = f"--index={factory}: faiss cannot build it ({reason})"
        raise UserError(text, about="--index") from None
    return index


def _sample(gallery: EmbeddingSet) -> Float[np.ndarray, "n d"]:
    """Return every n-th embedding, about `TRAINED_ON` in all."""
    step = max(1, -(-len(gallery) // TRAINED_ON))
    return np.concatenate([rows[::step] for rows in gallery.blocks()])
