"""The same as `dmcf train`; the flags are in dmcf_jax/cli/train.py."""

from dmcf_jax.cli.app import run_verb

run_verb("train")
