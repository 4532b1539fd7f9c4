"""Score embeddings that any program made; prints one JSON object.

    dmcf score --features=F.npz --protocol=sysu_mm01
    dmcf score --features=F.npz --distances=D.npy --protocol=plain
    dmcf score --query=DIR --gallery=DIR

F.npz holds query_features [q, d], query_ids [q], query_cameras [q] (optional), and the same for
gallery. With --distances it needs no features.
"""

import json
from typing import Any

from absl import flags

from dmcf_jax.cli import app
from dmcf_jax.errors import UserError

_FEATURES = flags.DEFINE_string("features", None, "The .npz file.")
_DISTANCES = flags.DEFINE_string("distances", None, "Matrix [q, g] (.npy) in place of features.")
_QUERY = flags.DEFINE_string("query", None, "Embeddings of dmcf embed, in place of --features.")
_GALLERY = flags.DEFINE_string("gallery", None, "Embeddings of dmcf embed, with --query.")
_PROTOCOL = flags.DEFINE_string(
    "protocol", "plain", "plain, sysu_mm01, regdb, llcm, market1501 or full name."
)
_METRIC = flags.DEFINE_string("metric", "cosine", "cosine or euclidean.")
_MAX_RANK = flags.DEFINE_integer("max_rank", 20, "Length of the CMC curve.")
_VERIFICATION = flags.DEFINE_bool("verification", True, "Verify all pairs: TPR at FPR, EER, DIR.")


def main() -> None:
    """Score by the flags."""
    from dmcf_jax.evaluation.score import score  # here, so that --help needs no JAX

    if _DISTANCES.value and flags.FLAGS["metric"].present:
        text = "--metric has no effect with --distances, which are ranked as they are"
        raise UserError(text, about="--metric")
    options = {"metric": _METRIC.value, "max_rank": _MAX_RANK.value}
    options["verification"] = _VERIFICATION.value
    if _QUERY.value or _GALLERY.value:
        result = _score_folders(options)
    else:
        files = _FEATURES.value, _PROTOCOL.value
        result = score(*files, distances=_DISTANCES.value, **options)
    print(json.dumps(result))


def _score_folders(options: dict[str, Any]) -> dict:
    from dmcf_jax.retrieval.score_embeddings import score_embeddings

    if not (_QUERY.value and _GALLERY.value) or _FEATURES.value or _DISTANCES.value:
        text = "--query and --gallery go together, and without --features and --distances"
        raise UserError(text, about="--query" if not _QUERY.value else "--gallery")
    return score_embeddings(_QUERY.value, _GALLERY.value, _PROTOCOL.value, **options)


if __name__ == "__main__":
    app.run(main)
