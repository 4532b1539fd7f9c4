"""The paper's method on LLCM, prepared with --dataset=llcm; neither it nor any row was run there.

    dmcf train --config=llcm --workdir=runs/llcm
    dmcf train --config=llcm:strong --config.model.pretrained=resnet50.pth --workdir=runs/strong

The owners of LLCM distribute it on request. The authors of the rows do not train on it: their
epochs are kept, and an epoch shows each of the 16,946 visible training images once, as theirs do.
"""

from ml_collections import ConfigDict

from dmcf_jax.configs import default

STEPS = {
    "agw": 42_930,  # open point: 81 epochs of 530
    "hctri": 21_594,  # open point: 61 epochs of 354
    "caj": 53_000,  # open point: 100 epochs of 530
    "strong": 53_000,  # as caj
    "dmcf_strong": 53_000,  # as caj
}


def get_config(variant: str = "") -> ConfigDict:
    """Return the config; `variant` is a row of configs/_rows.py."""
    config = default.get_config()
    config.data.name = "llcm"
    config.train.steps = 50_000  # open point: as on SYSU-MM01, which is as large
    config.train.checkpoint_every = 2500
    config.train.log_every = 100
    if variant not in default.COMPARED:
        config.optim.random_start_factor = 0.1  # ours: at the paper's rates all features collapse
    return default.apply_variant(config, variant, STEPS)
