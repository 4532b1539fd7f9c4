"""Check of an export: its embeddings of random images are those of the run."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from dmcf_jax.errors import UserError
from dmcf_jax.export.embed_function import make_embed
from dmcf_jax.modality import MODALITIES
from dmcf_jax.models.tree_paths import leaves_by_path
from dmcf_jax.runs.load import TrainedModel

# (number of images, pixels by which their height exceeds the run's): any batch size and any image
# size must work.
CASES = ((1, 0), (3, 13), (8, 0))
# Largest difference of an element of a unit embedding, by dtype of the computation, that another
# order of summation may cause. Random ResNet-50s differed by 2e-7 and 1.2e-3.
TOLERANCE = {"float32": 1e-4, "bfloat16": 5e-3}
# With resizing: a pixel half-way between two grey levels may be rounded either way, which moved the
# embedding of a small run by 2e-4. A wrong filter moved it by 0.1.
RESIZE_TOLERANCE = 2e-3


def verify(embed: Callable, trained: TrainedModel, model: nn.Module) -> None:
    """Compare the embeddings of an exported file with the run's, with and without resizing.

    Args:
        embed: (images, modality) -> embeddings [b d], computed from the file.
        trained: the run.
        model: the run's network, the reference; it embeds one image at a time.

    Raises:
        UserError: they differ by more than rounding.
    """
    weights = leaves_by_path(jax.device_get(trained.variables))
    height, width = trained.settings.size
    rng, rounding = np.random.default_rng(0), TOLERANCE[jnp.dtype(model.dtype).name]
    for modality in MODALITIES:
        reference = jax.jit(make_embed(trained, model, modality))
        for count, excess in CASES:
            shape = (count, height + excess, width - excess // 2, 3)
            images = rng.integers(0, 256, shape, np.uint8)
            limit = max(rounding, RESIZE_TOLERANCE) if excess else rounding
            expected = np.concatenate([reference(weights, image[None]) for image in images])
            error = np.abs(embed(images, modality) - expected).max()
            if not error <= limit:  # also refuses NaN
                raise UserError(
                    f"verification failed: exported embeddings of {count} {modality} images differ "
                    f"from the run's by {error:.1e} (limit {limit:.0e}). Nothing was written.",
                    about=f"{count} {modality} images",
                )
