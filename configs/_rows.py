"""The rows of the paper's tables and of what is trained today: fields that differ from default.py.

`--config=regdb:bdtr` takes one; `default.apply_variant` sets its fields.
"""

# Ablations of the paper's tables 2 and 3: the fields that differ from the complete method.
VARIANTS = {
    "no_split": {"model.stripes": (1, 1, 1)},
    "no_mtl": {"mtl.enabled": False},
    "dcf": {"model.levels": ("layer4",), "model.stripes": (3,)},
    "feature_1_2_3_4": {
        "model.levels": ("layer1", "layer2", "layer3", "layer4"),
        "model.stripes": (1, 1, 2, 3),
    },
    "feature_2_4": {"model.levels": ("layer2", "layer4"), "model.stripes": (1, 3)},
    "feature_2_3": {"model.levels": ("layer2", "layer3"), "model.stripes": (1, 2)},
    "feature_3_4": {"model.levels": ("layer3", "layer4"), "model.stripes": (2, 3)},
}


# The methods of table 1, and `baseline_2019`, which has a complete published specification. Marks:
# "authors' code", "port" of it by others, "paper" of the method, "open point" for our choice.
SINGLE = {
    "model.levels": ("layer4",),  # authors' code
    "model.stripes": (1,),  # authors' code
    "model.pool": "average",  # authors' code
    "model.head": "linear_bn",  # authors' code of baseline_2019
    "model.embedding_dim": 512,  # authors' code of baseline_2019
    "sampler.P": 32,  # authors' code of baseline_2019
    "sampler.K": 1,  # authors' code of baseline_2019
}
SGD = {
    "optim.name": "sgd",  # authors' code
    "optim.momentum": 0.9,  # authors' code
    "optim.nesterov": True,  # authors' code
    "optim.weight_decay": 5e-4,  # authors' code
    "optim.lr_backbone": 0.001,  # authors' code
    "optim.lr_heads": 0.01,  # authors' code
    "optim.decay_at": (30 / 61, 60 / 61),  # authors' code
}
MATCHER = {"train.steps": 1, "train.checkpoint_every": 1}
MATCHERS = ("hog", "lomo", "mlapg", "xqda")
COMPARED = {
    "hog": MATCHER | {"method.name": "hog", "data.size": (128, 64)},  # open point
    "lomo": MATCHER | {"method.name": "lomo", "data.size": (128, 48)},  # open point
    "mlapg": MATCHER | {"method.name": "mlapg", "data.size": (128, 48)},  # open point: on LOMO
    "xqda": MATCHER | {"method.name": "xqda", "data.size": (128, 48)},  # open point: on LOMO
    # The next three differ in nothing but what their name says.
    "one_stream": SINGLE
    | SGD
    | {
        "method.name": "identity",
        "model.shared_from": "stem",  # paper
        "data.input": "grey",  # open point
    },
    "two_stream": SINGLE
    | SGD
    | {"method.name": "identity", "model.shared_from": "layer2"},  # open point
    "zero_padding": SINGLE
    | SGD
    | {
        "method.name": "identity",
        "model.shared_from": "stem",  # paper
        "model.input": "zero_padding",  # paper
        "data.input": "grey",  # paper
    },
    "baseline_2019": SINGLE | SGD | {"method.name": "identity"},  # authors' code
    "tone": SINGLE
    | {
        "method.name": "tone",
        "sampler.P": 64,  # authors' code
        "loss.margin": 0.5,  # authors' code
        "optim.name": "sgd",  # authors' code
        "optim.lr_backbone": 0.001,  # authors' code
        "optim.lr_heads": 0.001,  # authors' code
    },
    "bdtr": SINGLE
    | {
        "method.name": "bdtr",
        "sampler.P": 64,  # authors' code
        "loss.margin": 0.5,  # authors' code
        "optim.name": "sgd",  # authors' code
        "optim.lr_backbone": 0.001,  # authors' code
        "optim.lr_heads": 0.01,  # open point: 0.001 in the code, for AlexNet
    },
    "gsm": SINGLE
    | {
        "method.name": "gsm",
        "model.shared_from": "layer2",  # open point
        "optim.lr_backbone": 0.001,  # open point
        "optim.lr_heads": 0.001,  # open point
    },
    "cmgan": SINGLE
    | {
        "method.name": "cmgan",
        "model.shared_from": "stem",  # port
        "model.head": "hidden",  # port
        "sampler.P": 8,  # open point
        "sampler.K": 4,  # open point
        "loss.margin": 1.4,  # port
        "optim.name": "sgd",  # port
        "optim.lr_backbone": 1e-4,  # port
        "optim.lr_heads": 1e-4,  # port
    },
    # Structure only: of D2RL itself next to no number is known.
    "d2rl": SINGLE
    | {
        "method.name": "d2rl",
        "model.shared_from": "stem",  # paper: one network of unified images
        "sampler.P": 8,  # open point
        "sampler.K": 4,  # open point
        "loss.margin": 0.3,  # open point
        "optim.beta1": 0.5,  # authors' code of UNIT; of streams and heads an open point
        "optim.weight_decay": 1e-4,  # authors' code of UNIT; of streams and heads an open point
        "optim.lr_backbone": 3.5e-4,  # open point
        "optim.lr_heads": 3.5e-4,  # open point
        "optim.lr_discriminator": 1e-4,  # authors' code of UNIT
    },
}
COMPARED["hcml"] = COMPARED["tone"] | {
    "method.name": "hcml",
    "fit.tolerance": 1e-6,  # authors' code
}
# As published: two AlexNets that are private up to fc6.
COMPARED["bdtr_alexnet"] = COMPARED["bdtr"] | {
    "model.backbone": "alexnet",  # authors' code; torchvision's layout is ours
    "model.pool": "fc6",  # authors' code
    "model.head": "fc7",  # authors' code
    "model.embedding_dim": 1024,  # authors' code
    "model.dropout": 0.5,  # authors' code
    "data.size": (227, 227),  # authors' code
    "data.flip": 0.0,  # authors' code
    "data.pad": 14,  # open point: shifts of 0..28 pixels, in the code within 256 x 256
    "data.pad_mode": "edge",  # open point: the code has no black borders
    "optim.lr_heads": 0.001,  # authors' code
}
# What practitioners train today; docs/recipes.md has the sources and what is left out.
MODERN = SGD | {
    "model.levels": ("layer4",),  # authors' code
    "model.last_stride": 1,  # authors' code
    "model.pool": "gem",  # authors' code
    "optim.lr_backbone": 0.01,  # authors' code
    "optim.lr_heads": 0.1,  # authors' code
}
COMPARED["agw"] = MODERN | {
    "method.name": "agw",
    "model.shared_from": "layer1",  # authors' code
    "model.stripes": (1,),  # authors' code
    "model.reduce_global": False,  # authors' code
    "model.head": "bnneck",  # authors' code
    "model.non_local": (0, 2, 3, 0),  # authors' code
    "model.gem_p": 3.0,  # authors' code
    "loss.kind": "weighted",  # authors' code
    "sampler.P": 8,  # authors' code
    "sampler.K": 4,  # authors' code
    "optim.decay_at": (20 / 81, 50 / 81),  # authors' code
}
COMPARED["hctri"] = MODERN | {
    "method.name": "hctri",
    "model.shared_from": "layer2",  # authors' code
    "model.stripes": (6,),  # authors' code
    "model.head": "reduction",  # authors' code
    "model.embedding_dim": 256,  # authors' code
    "model.gem_p": 3.0,  # authors' code for SYSU-MM01; 10 in configs/regdb.py
    "loss.kind": "centre_triplet",  # authors' code
    "loss.margin": 0.3,  # authors' code
    "loss.triplet_weight": 1.0,  # authors' code for SYSU-MM01; 2 in configs/regdb.py
    "sampler.P": 6,  # authors' code for SYSU-MM01; 8 in configs/regdb.py
    "sampler.K": 8,  # authors' code for SYSU-MM01; 4 in configs/regdb.py
    "optim.decay_at": (20 / 61, 50 / 61),  # authors' code
}
COMPARED["caj"] = COMPARED["agw"] | {
    # Padding, mirror images and the erased area are the defaults below, as in the authors' code.
    "data.erase": 0.5,  # authors' code
    "data.views": "channels",  # authors' code
    "loss.kind": "squared_difference",  # authors' code
    "optim.decay_at": (20 / 100, 50 / 100),  # authors' code
    "evaluation.flip": True,  # authors' code
}
COMPARED["strong"] = COMPARED["caj"] | {
    "loss.label_smoothing": 0.1,  # open point: as in HcTri's code for RegDB
    "ema.decay": 0.997,  # authors' code of CM-NAS
}
# DMCF's levels, stripes and learned weights in the strong recipe.
COMPARED["dmcf_strong"] = COMPARED["strong"] | {
    "method.name": "dmcf",
    "model.levels": ("layer2", "layer3", "layer4"),  # paper
    "model.stripes": (1, 2, 3),  # paper
    "model.reduce_global": True,  # open point, as in DMCF
    "model.embedding_dim": 256,  # paper
    "mtl.enabled": True,  # paper
}
# Share of the run in which all rates rise: ten epochs in the authors' code.
WARM_UP = {"agw": 10 / 81, "hctri": 10 / 61}
WARM_UP |= dict.fromkeys(("caj", "strong", "dmcf_strong"), 10 / 100)
VARIANTS |= COMPARED
