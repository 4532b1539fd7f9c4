"""Pretrain the small network of the demo on synthetic people: the weights in the package.

    python -m benchmarks.synthetic_pretraining --people=4000 --steps=8000 --out=small.safetensors

From person labels alone a fresh network of this size sees nothing for a thousand steps. So it
first learns, for `--teacher_steps`, to say of each picture what HOG and a linear discriminant
analysis over people say of it; then it learns from the people themselves. docs/synthetic.md has
the measurements. Prints a line of losses every 50 steps.
"""

import argparse
import hashlib
import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, UInt8
from ml_collections import ConfigDict
from PIL import Image

from dmcf_jax.config.build import build_model
from dmcf_jax.configs import synthetic
from dmcf_jax.configs.default import get_config
from dmcf_jax.data.augment import Augmentation, augment
from dmcf_jax.data.prepare_input import InputForm
from dmcf_jax.data.synthetic.people import make_person
from dmcf_jax.data.synthetic.shots import regdb_shots
from dmcf_jax.methods.losses.contrastive import cross_contrastive
from dmcf_jax.methods.losses.softmax import cosine_logits, softmax_cross_entropy
from dmcf_jax.methods.network.two_streams import TwoStreams
from dmcf_jax.models.descriptors.hog import hog
from dmcf_jax.models.unit_length import unit_length
from dmcf_jax.runtime import compiler_options
from dmcf_jax.weights.read import write_safetensors
from dmcf_jax.weights.torch_names import to_torch

SEED = 1000  # a world that no demo, test or calibration uses
PICTURES = 10  # of each person in each modality
CODE = 64  # numbers in the teacher's vector
SOFTMAX_SCALE, TEMPERATURE = 20.0, 0.1
FEATURE_WEIGHT = 0.3  # of the loss on each feature; the loss on all of them together has 1
WARMUP, FADE = 50, 100  # steps: of the rate, and from the teacher to the people
SIZE = (96, 48)


def people(count: int) -> UInt8[np.ndarray, "n 2 10 h w 3"]:
    """Return pictures of people 1 to `count` by person and modality."""
    return np.stack([_pictures(identity) for identity in range(1, count + 1)])


def _pictures(identity):
    person, shots = make_person(SEED, identity), regdb_shots(SEED, identity, PICTURES)
    return np.stack([[_small(shot.take(person)) for shot in band] for band in shots.values()])


def _small(picture):
    height, width = SIZE
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS))


def teacher(
    images: UInt8[np.ndarray, "n 2 10 h w 3"], kept: int = 400
) -> Float[np.ndarray, "n 2 10 d"]:
    """Return the unit vector of each picture by HOG and discriminant analysis over the people.

    The `CODE` directions in which people differ most, relative to how one person's pictures
    differ, both modalities together.

    Args:
        kept: principal components of HOG that the analysis works with.
    """
    vectors = np.concatenate([hog(chunk.reshape(-1, *chunk.shape[2:])) for chunk in images])
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = vectors - vectors.mean(axis=0)
    _, axes = np.linalg.eigh(vectors.T @ vectors)
    by_person = (vectors @ axes[:, -kept:]).reshape(len(images), -1, kept)
    means = by_person.mean(axis=1)
    within = (by_person - means[:, None]).reshape(-1, kept)
    within = within.T @ within / len(within)
    between = means.T @ means / len(means) - within / by_person.shape[1]
    values, axes = np.linalg.eigh(within + 1e-5 * np.eye(kept))
    whiten = axes / np.sqrt(values)
    ratio, axes = np.linalg.eigh(whiten.T @ between @ whiten)
    codes = by_person @ whiten @ axes[:, -CODE:] * np.sqrt(np.maximum(ratio[-CODE:], 0.0))
    codes = codes / np.linalg.norm(codes, axis=2, keepdims=True)
    return codes.reshape(*images.shape[:3], CODE).astype(np.float32)


def network_config() -> ConfigDict:
    """Return the demo's config before it starts from any weights."""
    config = get_config()
    synthetic.use_small_network(config)
    return config


def augmentation(config: ConfigDict) -> Augmentation:
    """Return the augmentation of a config."""
    data = config.data
    return Augmentation(
        pad=data.pad,
        pad_mode=data.pad_mode,
        flip=data.flip,
        invert=data.invert,
        erase=data.erase,
        erase_area=tuple(data.erase_area),
        erase_fill=data.erase_fill,
        form=InputForm(data.input, data.standardise),
    )


def losses(
    outputs: dict[str, Array],
    kernel: Float[Array, "d k"],
    labels: Array,
    codes: Array,
    share: Array,
) -> Float[Array, ""]:
    """Return the loss of a batch: the teacher's `share`, and of the rest what people say.

    Args:
        outputs: embeddings of interleaved rows by feature.
        kernel: of a classifier over all features side by side.
        labels, codes: class and teacher's vector of each row.
    """
    taught = [jnp.mean(1.0 - jnp.sum(unit_length(e) * codes, axis=1)) for e in outputs.values()]
    whole = jnp.concatenate(list(outputs.values()), axis=1)

    def contrast(rows):
        return cross_contrastive(rows[0::2], rows[1::2], labels[0::2], TEMPERATURE)

    own = FEATURE_WEIGHT * sum(contrast(rows) for rows in outputs.values()) + contrast(whole)
    own += softmax_cross_entropy(cosine_logits(whole, kernel, SOFTMAX_SCALE), labels)
    return share * 10.0 * sum(taught) + (1.0 - share) * own


def make_step(
    model: TwoStreams, optimizer: optax.GradientTransformation, changes: Augmentation
) -> Callable:
    """Return the compiled step: (state, batch, key, teacher's share) -> (state, loss)."""

    def loss_of(params, stats, batch, key, share):
        visible, infrared, labels, codes = batch
        keys = jax.random.split(key)
        views = (
            augment(keys[0], visible, "visible", changes),
            augment(keys[1], infrared, "infrared", changes),
        )
        variables = {"params": params["network"], "batch_stats": stats}
        outputs, updated = model.apply(variables, *views, True, mutable=["batch_stats"])
        total = losses(outputs.embeddings, params["kernel"], labels, codes, share)
        return total, updated["batch_stats"]

    def step(state, batch, key, share):
        params, stats, moments = state
        gradient = jax.value_and_grad(loss_of, has_aux=True)
        (loss, stats), grads = gradient(params, stats, batch, key, share)
        updates, moments = optimizer.update(grads, moments, params)
        return (optax.apply_updates(params, updates), stats, moments), loss

    return jax.jit(step, donate_argnums=0, compiler_options=compiler_options.training())


def draw(rng: np.random.Generator, images: np.ndarray, codes: np.ndarray, P: int) -> tuple:
    """Return a batch: one picture in each modality of P people, and its labels and codes by row."""
    who = rng.choice(len(images), P, replace=False)
    which = rng.integers(0, PICTURES, (2, P))
    rows = np.stack([codes[who, m, which[m]] for m in (0, 1)], axis=1).reshape(2 * P, -1)
    return images[who, 0, which[0]], images[who, 1, which[1]], np.repeat(who, 2), rows


def pretrain(options: argparse.Namespace) -> tuple[dict, dict]:
    """Return the trained parameters and statistics of the network."""
    images = people(options.people)
    codes = teacher(images)
    config = network_config()
    model = build_model(config, 2)  # its own classifiers are not trained
    blank = jnp.zeros((2, *SIZE, 3))
    network = jax.jit(lambda key: model.init(key, blank, blank, True))(jax.random.key(SEED))
    # The classifier of all features starts where the teacher sees each person.
    means = np.tile(codes.mean(axis=(1, 2)), len(model.features)).T
    params = {"network": network["params"], "kernel": jnp.asarray(means)}
    rate = optax.warmup_cosine_decay_schedule(0.0, options.rate, WARMUP, options.steps)
    optimizer = optax.adam(rate)
    state = (params, network["batch_stats"], optimizer.init(params))
    step = make_step(model, optimizer, augmentation(config))
    rng, begin = np.random.default_rng(SEED), time.monotonic()
    for number in range(options.steps):
        share = np.float32(np.clip((options.teacher_steps - number) / FADE, 0.0, 1.0))
        key = jax.random.fold_in(jax.random.key(SEED), number)
        state, loss = step(state, draw(rng, images, codes, options.P), key, share)
        if number % 50 == 0:
            print(number, round(float(loss), 3), round(time.monotonic() - begin), flush=True)
    return state[0]["network"], state[1]


def write(params: dict, stats: dict, out: Path, command: str) -> None:
    """Write the shared stream and the reductions in float16, with how they were made."""
    heads = [name for name in params if name.startswith("heads_")]
    variables = {
        "params": params["shared"] | {h: {"reduction": params[h]["reduction"]} for h in heads},
        "batch_stats": stats["shared"] | {h: stats[h] for h in heads},
    }
    tensors = {n: np.asarray(v, np.float16) for n, v in to_torch(jax.device_get(variables)).items()}
    write_safetensors(out, tensors, metadata(tensors, command))


def metadata(tensors: dict[str, np.ndarray], command: str) -> dict[str, str]:
    """Return what the file says of itself."""
    config = network_config()
    fields = {
        f"{room}.{name}": value
        for room in ("model", "data")
        for name, value in config[room].items()
        if name not in ("pretrained", "data_dir", "cache_dir", "placement", "remat")
    }
    content = b"".join(name.encode() + tensors[name].tobytes() for name in sorted(tensors))
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    return {
        "command": command,
        "config": json.dumps(fields),
        "date": time.strftime("%Y-%m-%d"),
        "git_commit": commit.stdout.strip(),
        "sha256_of_tensors": hashlib.sha256(content).hexdigest(),
        "format": "pt",
    }


def main() -> None:
    """Pretrain by the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--people", type=int, default=4000)
    parser.add_argument("--steps", type=int, default=8000)
    parser.add_argument("--teacher_steps", type=int, default=450)
    parser.add_argument("--P", type=int, default=32)
    parser.add_argument("--rate", type=float, default=0.002)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    given = vars(options) | {"out": options.out.name}
    words = [f"--{name}={value}" for name, value in given.items()]
    command = " ".join(["python -m benchmarks.synthetic_pretraining", *words])
    write(*pretrain(options), options.out, command)


if __name__ == "__main__":
    main()
