"""Options for XLA's CPU compiler, each with what it gains; elsewhere and where unknown, none."""

from functools import cache

import jax
import jax.numpy as jnp

# XLA's CPU compiler hands products, sums and convolutions to a library. Its convolutions are slow
# forwards, [16, 36, 18, 64] with a 3x3 kernel 12.6 ms against 6.3, but its sums are what makes
# training fast; so a program without gradients keeps the products only: 365 ms against 454 for 16
# images of 144 x 72.
_FORWARD_ONLY = {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT"}

# A training step is 1,400 small programs, whose compilation is most of a first start. So compiled,
# the demo's takes 0.84 of the core time (16.8 s against 20.1) and runs as fast, as does the whole
# method's: what is slow in a step is in the library.
_TRAINING = {
    "xla_backend_optimization_level": 1,
    "xla_cpu_opt_preset": "CPU_OPT_PRESET_FAST_COMPILE",
}


def forward_only() -> dict[str, str | int] | None:
    """Return `compiler_options` of `jax.jit` for a network without gradients; None for none."""
    return _where_known(tuple(_FORWARD_ONLY.items()))


def training() -> dict[str, str | int] | None:
    """Return `compiler_options` for a training step; None for none."""
    return _where_known(tuple(_TRAINING.items()))


@cache
def _where_known(options: tuple[tuple[str, str | int], ...]) -> dict[str, str | int] | None:
    """Return the options, if this backend's compiler has them: an unknown one is refused."""
    if jax.default_backend() != "cpu":
        return None
    try:
        jax.jit(jnp.negative).lower(0.0).compile(compiler_options=dict(options))
    except (jax.errors.JaxRuntimeError, ValueError):
        return None
    return dict(options)
