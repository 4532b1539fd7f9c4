"""A search of the server in a gallery of a million pictures: seconds and memory."""

import json
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from dmcf_jax.retrieval.embedding_set import EmbeddingSet, write_manifest, write_shard
from dmcf_jax.serve.gallery import Filter, ServedGallery

SHARD = 8192


def write_gallery(folder: Path, rows: int, dimension: int) -> EmbeddingSet:
    """Write random unit embeddings as `dmcf embed` does, of pictures that do not exist."""
    draw, counts = np.random.default_rng(0), []
    for number, start in enumerate(range(0, rows, SHARD)):
        count = min(SHARD, rows - start)
        vectors = draw.standard_normal((count, dimension), np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        paths = np.array([f"visible/{start + row:08d}.jpg" for row in range(count)])
        texts = {name: np.full(count, name) for name in ("identity", "modality")}
        cameras = np.char.add("gate ", draw.integers(0, 12, count).astype(str))
        arrays = {"embedding": vectors, "path": paths, "camera": cameras, **texts}
        write_shard(folder / f"shard-{number:05d}.npz", arrays)
        counts.append(count)
    manifest = {
        "format": "dmcf_jax embeddings 1",
        "model": {"dimension": dimension},
        "images": {"root": str(folder)},
        "rows": counts,
        "complete": True,
    }
    write_manifest(folder, manifest)
    return EmbeddingSet(folder)


def measure(rows: int = 1_000_000, dimension: int = 256, repeats: int = 7) -> dict:
    """Return seconds of a search with and without a filter, of the start, and the peak memory."""
    with tempfile.TemporaryDirectory() as folder:
        made = write_gallery(Path(folder), rows, dimension)
        started = time.perf_counter()
        gallery = ServedGallery([made])
        start = time.perf_counter() - started
    query = np.eye(1, dimension, dtype=np.float32)[0]
    found = {}
    for name, chosen in (("all", Filter()), ("one camera of twelve", Filter(["gate 3"]))):
        times = []
        for _ in range(repeats + 1):
            began = time.perf_counter()
            gallery.search(query, 20, chosen)
            times.append(time.perf_counter() - began)
        found[name] = round(sorted(times[1:])[repeats // 2], 3)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {
        "rows": rows,
        "dimension": dimension,
        "start_s": round(start, 1),
        "search_s": found,
        "peak_GiB": round(peak, 2),
    }


if __name__ == "__main__":
    print(json.dumps(measure()))
