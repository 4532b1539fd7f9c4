"""The same as `dmcf score`; the flags are in dmcf_jax/cli/score.py."""

from dmcf_jax.cli.app import run_verb

run_verb("score")
