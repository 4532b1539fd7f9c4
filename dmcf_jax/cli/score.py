"""Score embeddings that any program made; prints one JSON object.

    dmcf score --features=F.npz --protocol=sysu_mm01
    dmcf score --features=F.npz --distances=D.npy --protocol=plain

F.npz holds query_features [q, d], query_ids [q], query_cameras [q] (optional), and the same for
gallery. With --distances it needs no features.
"""

import json

from absl import flags

from dmcf_jax.cli import app
from dmcf_jax.errors import UserError

_FEATURES = flags.DEFINE_string("features", None, "The .npz file.")
_DISTANCES = flags.DEFINE_string("distances", None, "Matrix [q, g] (.npy) in place of features.")
_PROTOCOL = flags.DEFINE_string("protocol", "plain", "plain, sysu_mm01, regdb, llcm or full name.")
_METRIC = flags.DEFINE_string("metric", "cosine", "cosine or euclidean.")
_MAX_RANK = flags.DEFINE_integer("max_rank", 20, "Length of the CMC curve.")


def main() -> None:
    """Score by the flags."""
    from dmcf_jax.evaluation.score import score  # here, so that --help needs no JAX

    if _DISTANCES.value and flags.FLAGS["metric"].present:
        text = "--metric has no effect with --distances, which are ranked as they are"
        raise UserError(text, about="--metric")
    result = score(
        _FEATURES.value,
        _PROTOCOL.value,
        distances=_DISTANCES.value,
        metric=_METRIC.value,
        max_rank=_MAX_RANK.value,
    )
    print(json.dumps(result))


if __name__ == "__main__":
    app.run(main)
