"""The demo: synthetic people in RegDB's layout and a small network; minutes on two cores.

    dmcf demo

README.md shows its results. It starts from the small weights in the package, pretrained on other
synthetic people, as the paper starts from ImageNet's. docs/synthetic.md has the measurements
behind each choice.
"""

from ml_collections import ConfigDict

from dmcf_jax.configs import default

# What today's recipes keep of the weights in the package: pooling, reductions, low rates. With
# their authors' values `strong` unlearns what the weights know (docs/recipes.md).
_FROM_WEIGHTS = {
    "data.views": "one",  # of grey images the second view would have the same channels
    "data.erase": 0.4,
    "model.pool": "max",
    "model.reduce_global": True,
    "model.embedding_dim": 64,
    "model.non_local": (0, 0, 0, 0),
    "sampler.P": 48,
    "sampler.K": 1,
    "optim.lr_backbone": 0.001,
    "optim.lr_heads": 0.01,
    "optim.schedule": "cosine",
    "optim.decay_at": (),
    "ema.decay": 0.98,  # 0.997 would still be half the start after 200 steps
    "evaluation.flip": False,  # a person's sides differ
}
# Rows that need other fields here: small ones where the network is not the small ResNet alone.
FIELDS = {
    "bdtr_alexnet": {
        "model.shared_from": None,
        "model.pretrained": "",  # the weights in the package are a ResNet's
        "model.stage_sizes": (3, 4, 6, 3),  # not read by an AlexNet, nor is the next
        "model.last_stride": 2,
        "model.embedding_dim": 256,
        "data.size": (128, 64),
        "data.pad": 7,
    },
    "strong": _FROM_WEIGHTS | {"model.stripes": (3,)},
    "dmcf_strong": _FROM_WEIGHTS,
    "d2rl": {
        "translation.width": 8,  # ours: an eighth, where the streams have a quarter
        "translation.blocks": 1,  # ours: as the stages of the streams
    },
}
IDENTITIES = 412  # synthetic people, as many as RegDB has; half of them train, half test


def get_config(variant: str = "") -> ConfigDict:
    """Return the config; `variant` is a row of the paper's tables."""
    config = default.get_config()
    config.data.name = "regdb"
    if variant in default.MATCHERS:
        return default.apply_variant(config, variant)
    use_small_network(config)
    config.model.pretrained = "synthetic"
    config.train.steps = 200
    config.train.checkpoint_every = 100
    config.train.log_every = 10
    if variant not in default.COMPARED:
        _use_recipe(config)
    config = default.apply_variant(config, variant)
    config.update_from_flattened_dict(FIELDS.get(variant, {}))
    return config


def _use_recipe(config: ConfigDict) -> None:
    """Set how DMCF and its ablations are trained; other methods keep their own losses and rates."""
    config.model.classifier_start = "means"
    config.sampler.P = 48
    config.sampler.K = 1
    config.loss.kind = "contrastive"
    config.loss.triplet_weight = 20.0
    config.loss.softmax_scale = 10.0
    # Low rates: with three times these it learns its 206 people by heart, and others suffer.
    config.optim.lr_backbone = 0.0001
    config.optim.lr_heads = 0.0003
    config.optim.schedule = "cosine"
    config.optim.warmup_steps = 20


def use_small_network(config: ConfigDict) -> None:
    """Set the fields that the weights in the package need, and what hides a person's colours."""
    data, model = config.data, config.model
    data.size = (96, 48)
    data.input = "grey"  # colours do not cross the modalities: only shape is left
    data.standardise = True
    data.pad, data.pad_mode = 4, "edge"  # black borders would be visible once standardised
    data.flip = 0.0  # a person's sides differ, and they are seen from one side only
    data.invert = 0.5  # dark clothes are as often warm as cold
    data.erase, data.erase_area, data.erase_fill = 0.4, (0.02, 0.22), "grey"
    model.stage_sizes = (1, 1, 1, 1)
    model.width = 16
    model.last_stride = 1
    model.embedding_dim = 64
    model.shared_from = "stem"
    model.neck = "batch_norm"
