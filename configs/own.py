"""The paper's method on your own pictures, prepared with --dataset=own (docs/tutorial.md).

    dmcf train --config=own --workdir=runs/own
    dmcf train --config=own:strong --config.model.pretrained=resnet50.pth --workdir=runs/strong
    dmcf train --config=own:quick --workdir=runs/quick

`quick` is the demo's small network, which starts from random weights and needs no GPU: it shows
that the pipeline works. For good results use one of the others with --config.model.pretrained.
docs/recipes.md compares `strong`, `dmcf_strong` and the other rows. They have as many steps as the
paper's method here: choose train.steps by your pictures, and optim.warmup_steps with it.
"""

from ml_collections import ConfigDict

from dmcf_jax.configs import default, synthetic


def get_config(variant: str = "") -> ConfigDict:
    """Return the config; `variant` is 'quick' or a row of configs/_rows.py."""
    if variant == "quick":
        config = synthetic.get_config()
        config.variant = variant
    else:
        config = default.get_config(variant)
        if variant not in default.COMPARED:
            config.optim.random_start_factor = 0.1  # ours, as in regdb.py
    config.data.name = "own"
    return config
