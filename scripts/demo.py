"""The demo's second half, after the installation: see scripts/demo.sh."""

from pathlib import Path

from absl import flags

from dmcf_jax.cli import app as command_line

_FOLDER = flags.DEFINE_string("folder", "runs/demo", "Where everything is put")
_EXPECT = flags.DEFINE_string("expect", None, "Record that the results must agree with")
_RECORD = flags.DEFINE_string("record", None, "File to put the results on record in")
_SHORT = flags.DEFINE_bool("short", False, "A few people and steps: shows that it runs")


def main() -> None:
    """Run the demo in full or in its short form."""
    from configs import synthetic
    from dmcf_jax.cli.demo_story import run_demo
    from dmcf_jax.evaluate import compare

    config = synthetic.get_config()
    folder, identities = Path(_FOLDER.value), synthetic.IDENTITIES
    if _SHORT.value:
        folder, identities = folder.with_name(folder.name + "_short"), 40
        config.train.steps, config.train.log_every, config.sampler.P = 200, 50, 4
    compare(run_demo(config, folder, identities), _EXPECT.value, _RECORD.value)


if __name__ == "__main__":
    command_line.run(main)
