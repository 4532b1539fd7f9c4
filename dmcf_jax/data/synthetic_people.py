"""The old place of `make_person` and `render`, for programs that import them here."""

import warnings

from dmcf_jax.data.synthetic.people import make_person, render

__all__ = ["make_person", "render"]

warnings.warn(
    "dmcf_jax.data.synthetic_people has moved: it is dmcf_jax.data.synthetic.people",
    DeprecationWarning,
    stacklevel=2,
)
