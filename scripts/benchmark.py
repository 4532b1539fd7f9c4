"""The same as `dmcf benchmark`; the flags are in dmcf_jax/cli/benchmark.py."""

from dmcf_jax.cli.app import run_verb

run_verb("benchmark")
