"""The old place of `load_model`, for programs that import it here."""

import warnings

from dmcf_jax.retrieval.model import load_model

__all__ = ["load_model"]

warnings.warn(
    "dmcf_jax.loaded_model has moved: from dmcf_jax import load_model",
    DeprecationWarning,
    stacklevel=2,
)
