"""The demo's second half, after the installation: see scripts/demo.sh."""

from pathlib import Path

from absl import flags

from dmcf_jax import command_line

_FOLDER = flags.DEFINE_string("folder", "runs/demo", "Where everything is put")
_SHORT = flags.DEFINE_bool("short", False, "A few people and steps: shows that it runs")


def main() -> None:
    """Run the demo in full or in its short form."""
    from configs import synthetic
    from dmcf_jax.demo import run_demo

    config = synthetic.get_config()
    folder, identities = Path(_FOLDER.value), synthetic.IDENTITIES
    if _SHORT.value:
        folder, identities = folder.with_name(folder.name + "_short"), 40
        config.train.steps, config.train.log_every, config.sampler.P = 30, 10, 4
    run_demo(config, folder, identities)


if __name__ == "__main__":
    command_line.run(main)
