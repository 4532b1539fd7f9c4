"""The same as `dmcf prepare_data`; the flags are in dmcf_jax/cli/prepare_data.py."""

from dmcf_jax.cli.app import run_verb

run_verb("prepare_data")
