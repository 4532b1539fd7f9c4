"""Approximate search by a faiss index, for galleries too large for the exact one."""

import contextlib
import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from dmcf_jax.errors import UserError
from dmcf_jax.retrieval.embedding_set import EmbeddingSet
from dmcf_jax.retrieval.top_k import top_k
from dmcf_jax.runtime.console import log
from dmcf_jax.runtime.files import atomic_path

TRAINED_ON = 200_000
SAMPLE = 64  # queries whose exact answer is looked up as well


class Found(NamedTuple):
    """Matches by an index, and how good they are.

    Attributes:
        scores, rows: [q k]; where an index finds fewer, a row is -1.
        share: of the exact matches of a sample of the queries, how many the index found.
        short: queries with fewer than k matches.
    """

    scores: Float[np.ndarray, "q k"]
    rows: Int[np.ndarray, "q k"]
    share: float
    short: int


def index_top_k(
    gallery: EmbeddingSet,
    queries: Float[np.ndarray, "q d"],
    k: int,
    factory: str,
    options: str | None = None,
) -> tuple[Float[np.ndarray, "q k"], Int[np.ndarray, "q k"]]:
    """Return approximately what `top_k.top_k` returns; see `search_index`."""
    return search_index(gallery, queries, k, factory, options)[:2]


def search_index(
    gallery: EmbeddingSet,
    queries: Float[np.ndarray, "q d"],
    k: int,
    factory: str,
    options: str | None = None,
) -> Found:
    """Search by a faiss index and log how much of a sample's exact answer it finds.

    The index is built once and kept beside the embeddings, of which its name holds the hash.

    Args:
        factory: faiss's description of an index, such as 'HNSW32', 'IVF1024,Flat' or 'Flat'.
        options: of the search, such as 'nprobe=64' or 'efSearch=128'; more find more, slower.

    Raises:
        UserError: faiss is not installed, or does not know `factory` or `options`.
    """
    faiss = _faiss()
    index = _read_or_build(faiss, gallery, factory)
    if options:
        _set_options(faiss, index, options)
    k = min(k, len(gallery))
    scores, rows = index.search(np.ascontiguousarray(queries, np.float32), k)
    share = _share_of_exact(gallery, queries, rows, k)
    found = Found(scores, rows.astype(np.int64), share, int((rows < 0).any(axis=1).sum()))
    log(
        f"the index finds {100 * share:.1f} % of the exact matches of a sample of the queries; "
        f"{found.short} queries have fewer than {k}. More by --index_options=nprobe=64 (IVF) or "
        "efSearch=128 (HNSW)."
    )
    return found


def _share_of_exact(gallery: EmbeddingSet, queries: np.ndarray, rows: np.ndarray, k: int) -> float:
    sample = np.linspace(0, len(queries) - 1, min(SAMPLE, len(queries)), dtype=int)
    if not len(sample) or not k:
        return 1.0
    _, exact = top_k(queries[sample], gallery.blocks(), k)
    pairs = zip(exact, rows[sample], strict=True)
    return float(np.mean([len(set(best) & set(found)) / k for best, found in pairs]))


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


def _set_options(faiss: Any, index: Any, options: str) -> None:
    try:
        faiss.ParameterSpace().set_index_parameters(index, options)
    except (RuntimeError, TypeError) as error:
        reason = str(error).strip().splitlines()[-1]
        text = (
            f"--index_options={options}: not options of this index ({reason}); IVF has nprobe, "
            "HNSW has efSearch"
        )
        raise UserError(text, about="--index_options") from None


def _read_or_build(faiss: Any, gallery: EmbeddingSet, factory: str) -> Any:
    path = _path(gallery, factory)
    if (index := _read(faiss, path, gallery)) is not None:
        return index
    index = _build(faiss, gallery, factory)
    for stale in path.parent.glob(f"{path.name.rpartition('-')[0]}-*.faiss"):
        with contextlib.suppress(OSError):
            stale.unlink()
    with atomic_path(path, "Search without --index.") as temporary:
        faiss.write_index(index, str(temporary))
    return index


def _path(gallery: EmbeddingSet, factory: str) -> Path:
    """Return a name of what the index is and of the embeddings it was built from."""
    kind = hashlib.sha256(factory.encode()).hexdigest()[:12]
    return gallery.folder / f"index-{kind}-{gallery.digest()[:24]}.faiss"


def _read(faiss: Any, path: Path, gallery: EmbeddingSet) -> Any:
    """Return a kept index; None where there is none or it is damaged."""
    if not path.exists():
        return None
    try:
        index = faiss.read_index(str(path))
    except RuntimeError:
        index = None
    if index is None or (index.ntotal, index.d) != (len(gallery), gallery.dimension):
        log(f"{path} is damaged: building it again")
        return None
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
