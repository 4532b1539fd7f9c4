"""The reduced network of the golden tests: weights and images made from names, so not stored.

NumPy only: `scripts/make_golden.py` imports it beside PyTorch, `test_golden.py` beside JAX.
Names and shapes are PyTorch's.
"""

import zlib

import numpy as np

STAGE_SIZES, WIDTH, EMBEDDING_DIM, IDENTITIES = (2, 1, 1, 1), 4, 8, 3
HEIGHT, WIDTH_OF_IMAGE = 96, 48
LABELS = (0, 0, 1, 1, 2, 2)
STEPS, WEIGHTING_STARTS_AT, MARGIN = 5, 2, 1.8
RATES = {"backbone": 0.001, "heads": 0.01, "log_variance": 0.01}
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


# Chosen so that no gradient is so near to zero that rounding decides its sign: Adam's first steps
# are the signs of gradients, and one that flips moves a parameter by twice the learning rate.
SALT = 89


def _draw(name):
    # RandomState, because its numbers are promised to stay the same in every NumPy.
    return np.random.RandomState(zlib.crc32(f"{SALT} {name}".encode()))


def tensor(name, shape):
    """Return the value of the parameter or statistic `name`, float32."""
    draw, leaf = _draw(name), name.rpartition(".")[2]
    if leaf == "running_var":
        value = draw.uniform(0.5, 1.5, shape)
    elif len(shape) > 1:
        value = draw.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))
    elif name == "log_variance":
        value = draw.uniform(-0.5, 0.5, shape)
    else:
        value = draw.uniform(-0.2, 0.2, shape) + (leaf == "weight")
    return value.astype(np.float32)


def images(name, count, size=(HEIGHT, WIDTH_OF_IMAGE)):
    """Return uint8 images [count h w 3]."""
    return _draw(name).randint(0, 256, (count, *size, 3)).astype(np.uint8)


def normalise(raw):
    """Return float32 images as the network takes them, NHWC."""
    return ((raw / 255.0 - np.array(MEAN)) / np.array(DEVIATION)).astype(np.float32)


# Methods of one level: their settings, and one image of each person and modality in a batch.
SINGLE_LABELS, SINGLE_STEPS = tuple(range(6)), 3
_SGD = {"lr_backbone": 0.001, "lr_heads": 0.01}
SINGLE_LEVEL = {
    "baseline_2019": _SGD | {"nesterov": True, "weight_decay": 5e-4},
    "bdtr": _SGD | {"nesterov": False, "weight_decay": 0.0},
    "bdtr_alexnet": {
        "lr_backbone": 0.001,
        "lr_heads": 0.001,
        "nesterov": False,
        "weight_decay": 0.0,
    },
}
ALEXNET_SIZE = (96, 80)  # of its images: its last map is larger than 2 x 2, as fc6 needs


def size_of(row):
    """Return height and width of the images of a row of `SINGLE_LEVEL`."""
    return ALEXNET_SIZE if row == "bdtr_alexnet" else (HEIGHT, WIDTH_OF_IMAGE)


# AGW with CAJ's batch, and the average of weights and statistics.
# Low rates, since float32's rounding grows from step to step.
AGW = {"lr_backbone": 1e-4, "lr_heads": 1e-3, "weight_decay": 5e-4}
AGW_STEPS, AGW_DECAY = 3, 0.9
# What dmcf_jax draws for six pairs from `jax.random.key(0)`: the channel of each second view, and
# what happens to each infrared image: its channel 0, 1 or 2 for all, 3 its luma, 4 nothing.
EXCHANGED = (2, 1, 2, 0, 0, 0)
INFRARED_CHOICES = (0, 1, 2, 4, 3, 2)


# UNIT's networks, one behind the other, on small images.
TRANSLATION = {"width": 2, "size": (24, 16), "images": 2}


def small_images():
    """Return images [n h w 3] with values from -1 to 1."""
    height, width = TRANSLATION["size"]
    raw = images("to translate", TRANSLATION["images"])[:, :height, :width]
    return (raw / 127.5 - 1).astype(np.float32)


def projections(name, tensor):
    """Return the length of a tensor and its dot products with three unit vectors of its name.

    A few numbers that no other tensor is likely to have, for files of a small size.
    """
    draw, flat = _draw(f"projections of {name}"), np.asarray(tensor, np.float64).ravel()
    vectors = draw.standard_normal((3, flat.size))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.array([np.linalg.norm(flat), *(vectors @ flat)], np.float32)
