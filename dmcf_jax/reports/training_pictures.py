"""What a finished run shows of itself in TensorBoard and in a tracker."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from dmcf_jax.data.image_store import ImageStore
from dmcf_jax.modality import MODALITIES
from dmcf_jax.reports.figures.health_curves import health_curves
from dmcf_jax.reports.figures.plotting import png_files
from dmcf_jax.reports.figures.ranked_lists import ranked_lists

EACH = 3  # best queries, and worst ones


def training_pictures(
    workdir: Path, embeddings: Float[np.ndarray, "n d"], store: ImageStore
) -> dict[str, Path]:
    """Draw health curves and the ranked lists of both modalities; return PNG files by name.

    Args:
        workdir: of the run; the files go to its folder `pictures`.
        embeddings: of all images of `store`, unit length.
        store: images of people in both modalities.
    """
    out = workdir / "pictures"
    drawn = health_curves(workdir, out)
    for query in range(len(MODALITIES)):
        drawn += ranked_lists(embeddings, store, query, out, EACH)
    return {path.stem: path for path in png_files(drawn)}
