"""The same as `dmcf evaluate`; the flags are in dmcf_jax/cli/evaluate.py."""

from dmcf_jax.cli.app import run_verb

run_verb("evaluate")
