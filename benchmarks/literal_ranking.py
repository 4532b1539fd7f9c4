"""The ranking as the field's repositories do it: what the ranking benchmark compares with.

The whole distance matrix, `numpy.argsort` of every row, a Python loop over queries, and within it
Python-level divisions for the precision at each rank, as in most published evaluators. With
`vectorised=True` those divisions are one NumPy operation, which few repositories do. Ties are left
to argsort.
"""

import numpy as np


def literal_evaluation(
    query_embeddings: np.ndarray,
    gallery_embeddings: np.ndarray,
    query_ids: np.ndarray,
    gallery_ids: np.ndarray,
    query_cameras: np.ndarray | None = None,
    gallery_cameras: np.ndarray | None = None,
    *,
    ignore: str = "none",
    cmc: str = "image",
    max_rank: int = 20,
    vectorised: bool = False,
) -> tuple[np.ndarray, float, float]:
    """Return CMC `[max_rank]`, mAP and mINP of float32 embeddings of unit length."""
    distances = -(query_embeddings @ gallery_embeddings.T)
    order = np.argsort(distances, axis=1)
    ranked_ids = gallery_ids[order]
    curves, precisions, penalties = [], [], []
    for query, query_id in enumerate(query_ids):
        ranked = ranked_ids[query]
        if ignore == "cam3-cam2" and query_cameras[query] == 3:
            ranked = ranked[gallery_cameras[order[query]] != 2]
        matches = (ranked == query_id).astype(np.int64)
        if not matches.any():
            continue
        hits = matches.cumsum()
        if vectorised:
            precision = hits / np.arange(1, len(hits) + 1)
        else:
            precision = np.asarray([hit / (place + 1.0) for place, hit in enumerate(hits)])
        precisions.append((precision * matches).sum() / hits[-1])
        penalties.append(hits[-1] / (np.flatnonzero(matches)[-1] + 1))
        if cmc == "identity":
            _, first_seen = np.unique(ranked, return_index=True)
            matches = ranked[np.sort(first_seen)] == query_id
        hits_by_rank = matches[:max_rank].cumsum() > 0
        curves.append(np.pad(hits_by_rank, (0, max_rank - len(hits_by_rank)), mode="edge"))
    return np.mean(curves, axis=0), float(np.mean(precisions)), float(np.mean(penalties))
