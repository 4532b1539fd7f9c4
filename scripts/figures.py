"""The same as `dmcf figures`; the flags are in dmcf_jax/cli/figures.py."""

from dmcf_jax.cli.app import run_verb

run_verb("figures")
