"""A stand-in for a trained model and people as plain pictures, for tests that train nothing."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from support.trees import noise

from dmcf_jax.modality import MODALITIES
from dmcf_jax.retrieval.model import FeatureExtractor

STRIPES = 4


def toy_model(
    fingerprint: str = "a" * 64, calls: list | None = None, embed: Callable | None = None
) -> FeatureExtractor:
    """Return a model whose embedding is the mean colour of four stripes; `calls` counts pictures.

    Infrared pictures are embedded as visible ones, turned by one place; `embed` replaces all that.
    """

    def count_and_embed(images: np.ndarray, modality: str) -> np.ndarray:
        if calls is not None:
            calls.append(len(images))
        return (embed or truth)(images, modality)

    return FeatureExtractor(
        "toy", fingerprint, (16, 8), "bilinear", 3 * STRIPES, None, count_and_embed
    )


def truth(images: np.ndarray, modality: str) -> np.ndarray:
    """Return the toy model's embeddings of pictures of its size."""
    stripes = images.reshape(len(images), STRIPES, -1, 3).astype(np.float64).mean(2)
    vectors = stripes.reshape(len(images), -1) - 127.5
    vectors = np.roll(vectors, MODALITIES.index(modality), axis=1)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.maximum(lengths, 1e-9)).astype(np.float32)


def write_people(root: Path, people: tuple[str, ...] = ("ann", "bo", "cy", "di")) -> Path:
    """Write two visible and two infrared pictures of noise for each of `people`."""
    for number, name in enumerate(people):
        for kind in MODALITIES:
            for frame in range(2):
                seed = 100 * number + 10 * frame + MODALITIES.index(kind)
                noise(root / kind / name / f"{frame}.png", seed)
    return root
