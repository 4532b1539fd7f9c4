"""The same as `dmcf export`; the flags are in dmcf_jax/cli/export.py."""

from dmcf_jax.cli.app import run_verb

run_verb("export")
