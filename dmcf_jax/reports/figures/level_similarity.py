"""How similar the two streams' maps are at each level, of the same and of different people."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import cast

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt8

from dmcf_jax.data.image_store import ImageStore
from dmcf_jax.data.prepare_input import prepare_input
from dmcf_jax.methods.network.levels import levels_of
from dmcf_jax.modality import MODALITIES
from dmcf_jax.reports.figures.inputs import spread
from dmcf_jax.runs.load import TrainedModel
from dmcf_jax.runtime import compiler_options

MEASURED = 50  # people whose pairs are measured, if the test split has as many
BATCH = 10  # images; a ResNet-50's maps of ten images take about 100 MB


@dataclasses.dataclass(frozen=True)
class Pairs:
    """A visible and an infrared image of each of p people.

    Attributes:
        identity: of each pair.
        visible, infrared: rows of a store.
    """

    identity: Int[np.ndarray, " p"]
    visible: Int[np.ndarray, " p"]
    infrared: Int[np.ndarray, " p"]


@dataclasses.dataclass(frozen=True)
class LevelSimilarity:
    """Maps of all pairs at one level, and their similarities.

    Attributes:
        visible, infrared: activations.
        matrix: similarity of the visible map of person i (row) and the infrared map of person j.
    """

    visible: Float[np.ndarray, "p y x c"]
    infrared: Float[np.ndarray, "p y x c"]
    matrix: Float[np.ndarray, "p p"]

    @property
    def same(self) -> Float[np.ndarray, " p"]:
        """The similarity of each person's two maps."""
        return np.diagonal(self.matrix)

    @property
    def mean_different(self) -> float:
        """The mean over all pairs of two different people; NaN for one person."""
        count = len(self.matrix)
        others = self.matrix[~np.eye(count, dtype=bool)]
        return float(others.mean(dtype=np.float64)) if count > 1 else float("nan")


def choose_pairs(store: ImageStore, count: int = MEASURED) -> Pairs:
    """Return pairs of `count` people, evenly spread over the split; each person's first images."""
    people = spread(store.people_in_both(), count)
    rows = [
        [np.flatnonzero((store.identity == p) & (store.modality == number))[0] for p in people]
        for number in range(len(MODALITIES))
    ]
    return Pairs(people, *(np.array(side, int) for side in rows))


def compare_levels(
    trained: TrainedModel, store: ImageStore, pairs: Pairs
) -> dict[str, LevelSimilarity]:
    """Return the maps and similarities of `pairs` by level, from low to high.

    Each image goes through the stream of its own modality, without mirror averaging. Batch norm
    uses its running statistics.
    """
    visible, infrared = (
        _all_maps(maps_of(trained, name), trained.variables, store.images[rows])
        for name, rows in zip(MODALITIES, (pairs.visible, pairs.infrared), strict=True)
    )
    # A compiled function sorts its dictionaries by name; `levels_of` restores the order.
    return {
        level: LevelSimilarity(
            visible[level], infrared[level], similarities(visible[level], infrared[level])
        )
        for level in levels_of(trained.model.features)
    }


def maps_of(trained: TrainedModel, modality: str) -> Callable:
    """Return (variables, uint8 images [n h w 3]) -> float32 maps [n y x c] by level, compiled."""
    stages = {feature.level: feature.stage for feature in trained.model.features}
    form = trained.settings.form

    def maps(variables: Mapping, images: UInt8[Array, "n h w 3"]) -> dict[str, Array]:
        inputs = prepare_input(images, form)
        found = trained.model.apply(variables, inputs, modality, method="feature_maps")
        by_stage = cast(dict[str, Array], found)
        return {level: by_stage[stage].astype(jnp.float32) for level, stage in stages.items()}

    return jax.jit(maps, compiler_options=compiler_options.forward_only())


def _all_maps(maps: Callable, variables: Mapping, images: np.ndarray) -> dict[str, np.ndarray]:
    """Return the maps of all images by level; the last batch is padded, so one shape compiles."""
    parts = []
    for start in range(0, len(images), BATCH):
        batch = np.zeros((BATCH, *images.shape[1:]), np.uint8)
        real = images[start : start + BATCH]
        batch[: len(real)] = real
        by_level = jax.device_get(maps(variables, batch))
        parts.append({level: value[: len(real)] for level, value in by_level.items()})
    return {level: np.concatenate([part[level] for part in parts]) for level in parts[0]}


def similarities(
    visible: Float[np.ndarray, "p y x c"], infrared: Float[np.ndarray, "q y x c"]
) -> Float[np.ndarray, "p q"]:
    """Return the cosine similarity of each visible and each infrared map, flattened.

    No mean is subtracted and no position is aligned. Maps after a ReLU have no negative values,
    so that their similarity is between 0 and 1; that of a map of zeros is 0.
    """
    return np.asarray(_cosines(visible, infrared))


@jax.jit
def _cosines(visible: Array, infrared: Array) -> Array:
    def unit(maps: Array) -> Array:
        flat = maps.reshape(len(maps), -1)
        return flat / jnp.maximum(jnp.linalg.norm(flat, axis=1, keepdims=True), 1e-12)

    return jnp.matmul(unit(visible), unit(infrared).T, precision=jax.lax.Precision.HIGHEST)
