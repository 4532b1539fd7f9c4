"""The same as `dmcf embed`; the flags are in dmcf_jax/cli/embed.py."""

from dmcf_jax.cli.app import run_verb

run_verb("embed")
