"""The same as `dmcf demo`; the flags are in dmcf_jax/cli/demo.py."""

from dmcf_jax.cli.app import run_verb

run_verb("demo")
