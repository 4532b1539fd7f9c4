"""The same as `dmcf experiments`; the flags are in dmcf_jax/cli/experiments.py."""

from dmcf_jax.cli.app import run_verb

run_verb("experiments")
