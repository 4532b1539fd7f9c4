"""Options for XLA's CPU compiler; none on other backends and where an option is unknown.

What each gains was measured: docs/performance.md#compiler-options.
"""

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp

# As `jax.stages.Lowered.compile` takes them.
Options = dict[str, Any]

# XLA's CPU compiler hands products, sums and convolutions to a library. Its convolutions are slow
# in the forward pass, but its sums make training fast; so a program without gradients leaves only
# the products to it.
_FORWARD_ONLY = {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT"}

# A training step is 1,400 small programs, whose compilation is most of a first start. Less
# optimisation compiles faster, and the step is no slower: its time is spent in library kernels.
_TRAINING = {
    "xla_backend_optimization_level": 1,
    "xla_cpu_opt_preset": "CPU_OPT_PRESET_FAST_COMPILE",
}


def forward_only() -> Options | None:
    """Return `compiler_options` of `jax.jit` for a network without gradients; None for none."""
    return _where_known(tuple(_FORWARD_ONLY.items()))


def training() -> Options | None:
    """Return `compiler_options` for a training step; None for none."""
    return _where_known(tuple(_TRAINING.items()))


@cache
def _where_known(options: tuple[tuple[str, str | int], ...]) -> Options | None:
    """Return the options, if this backend's compiler has them: an unknown one is refused."""
    if jax.default_backend() != "cpu":
        return None
    known: Options = dict(options)
    try:
        jax.jit(jnp.negative).lower(0.0).compile(compiler_options=known)
    except (jax.errors.JaxRuntimeError, ValueError):
        return None
    return known
