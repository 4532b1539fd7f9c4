"""The same as `dmcf serve`; the flags are in dmcf_jax/cli/serve.py."""

from dmcf_jax.cli.app import run_verb

run_verb("serve")
