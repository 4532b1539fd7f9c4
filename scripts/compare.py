"""The same as `dmcf compare`; the flags are in dmcf_jax/cli/compare.py."""

from dmcf_jax.cli.app import run_verb

run_verb("compare")
