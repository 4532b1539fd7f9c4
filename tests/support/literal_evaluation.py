"""The field's evaluation written out literally: one query at a time, one sort each.

Used by tests as the truth. The order of steps is that of the field's reference evaluators: sort
the gallery, drop what the query ignores, look at the matches. It shares no code with the package.
The tie rule is explicit: at an equal distance an image of another person comes first.
"""

import numpy as np


def unit(points):
    """Return the rows of `points` scaled to length 1, float64."""
    points = points.astype(np.float64)
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def cosine_distances(queries, gallery):
    return -unit(queries) @ unit(gallery).T


def euclidean_distances(queries, gallery):
    difference = queries.astype(np.float64)[:, None] - gallery.astype(np.float64)[None]
    return np.sqrt((difference**2).sum(-1))


def dropped(ignore, query_id, query_camera, gallery_ids, gallery_cameras):
    if ignore == "cam3-cam2":
        return (query_camera == 3) & (gallery_cameras == 2)
    if ignore == "same-identity-same-camera":
        return (gallery_ids == query_id) & (gallery_cameras == query_camera)
    return np.zeros(len(gallery_ids), bool)


def rank_one(distances, query_id, gallery_ids, drop, cmc):
    """Return (first rank, AP, INP) of one query, or None when nothing relevant is left."""
    wrong_first = gallery_ids == query_id
    order = np.lexsort((wrong_first, distances))
    ranked = gallery_ids[order][~drop[order]]
    matches = ranked == query_id
    if not matches.any():
        return None
    ranks = np.flatnonzero(matches) + 1
    precision = 0.0
    for hit, rank in enumerate(ranks, start=1):
        precision += hit / rank
    first = ranks[0]
    if cmc == "identity":
        _, seen_at = np.unique(ranked, return_index=True)
        distinct = ranked[np.sort(seen_at)]
        first = int(np.flatnonzero(distinct == query_id)[0]) + 1
    return int(first), precision / len(ranks), len(ranks) / int(ranks[-1])


def evaluate(
    distances,
    query_ids,
    gallery_ids,
    query_cameras=None,
    gallery_cameras=None,
    ignore="none",
    cmc="image",
    max_rank=20,
):
    """Return a dict: cmc `[max_rank]`, mAP, mINP, valid, and `queries`, a list from `rank_one`."""
    results = []
    for k, query_id in enumerate(query_ids):
        camera = None if query_cameras is None else query_cameras[k]
        drop = dropped(ignore, query_id, camera, gallery_ids, gallery_cameras)
        results.append(rank_one(distances[k], query_id, gallery_ids, drop, cmc))
    valid = [result for result in results if result is not None]
    curve = np.zeros(max_rank)
    for first, _, _ in valid:
        curve[first - 1 :] += 1
    return {
        "cmc": curve / len(valid) if valid else None,
        "mAP": float(np.mean([ap for _, ap, _ in valid])) if valid else None,
        "mINP": float(np.mean([inp for _, _, inp in valid])) if valid else None,
        "valid": len(valid),
        "queries": results,
    }
