"""The same as `dmcf search`; the flags are in dmcf_jax/cli/search.py."""

from dmcf_jax.cli.app import run_verb

run_verb("search")
