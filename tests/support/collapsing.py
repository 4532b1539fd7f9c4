"""Training settings that collapse: batch-hard triplets on random weights at high rates.

`PEOPLE` and `SETTINGS` are the run of 1,200 people that ended at chance without a word: the demo's
config of that time. `SMALL` collapses within seconds, for tests.
"""

PEOPLE = 1200  # synthetic; half of them train
SETTINGS = {
    "data.name": "regdb",
    "data.size": (96, 48),
    "data.pad": 2,
    "sampler.P": 16,
    "sampler.K": 2,
    "model.stage_sizes": (1, 1, 1, 1),
    "model.width": 16,
    "model.embedding_dim": 64,
    "model.shared_from": "layer1",
    "model.block_start": "full",
    "loss.triplet_start_step": 290,
    "optim.lr_backbone": 0.003,
    "optim.lr_heads": 0.003,
    "optim.decay_at": (0.75,),
    "train.steps": 800,
    "train.checkpoint_every": 320,
    "train.log_every": 10,
}
SMALL = {
    "data.name": "regdb",
    "data.size": (32, 32),
    "data.pad": 2,
    "sampler.P": 4,
    "sampler.K": 2,
    "model.stage_sizes": (1, 1, 1, 1),
    "model.width": 2,
    "model.embedding_dim": 8,
    "model.shared_from": "layer1",
    "model.block_start": "full",
    "model.levels": ("layer1", "layer2"),
    "model.stripes": (1, 1),
    "loss.triplet_start_step": 0,
    "mtl.enabled": False,
    "optim.lr_backbone": 0.03,
    "optim.lr_heads": 0.1,
    "train.steps": 150,
    "train.checkpoint_every": 150,
    "train.log_every": 10,
    "train.summary_people": 4,
}
