"""How alike the two streams' maps of one person are at each level, and those of two people."""

import dataclasses
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt8

from dmcf_jax.config.build import input_form
from dmcf_jax.data.image_store import ImageStore
from dmcf_jax.data.prepare_input import prepare_input
from dmcf_jax.methods.dmcf.levels import levels_of
from dmcf_jax.modality import MODALITIES
from dmcf_jax.reports.figures.material import people_in_both, spread
from dmcf_jax.runs.load import TrainedModel
from dmcf_jax.runtime import compiler_options

MEASURED = 50  # people whose pairs are measured, if the test split has as many
AT_ONCE = 10  # images: their maps of a whole ResNet-50 take some 100 MB


@dataclasses.dataclass(frozen=True)
class Pairs:
    """A visible and an infrared image of each of p people: rows of a store."""

    identity: Int[np.ndarray, " p"]
    visible: Int[np.ndarray, " p"]
    infrared: Int[np.ndarray, " p"]


@dataclasses.dataclass(frozen=True)
class LevelSimilarity:
    """One level: maps of all pairs, and the similarity of each visible to each infrared one.

    visible, infrared: activations, [p y x c].
    matrix: row i, column j compares the visible map of person i with the infrared one of j.
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
    """Return pairs of `count` people spread over the split, each one's first images."""
    people = spread(people_in_both(store), count)
    rows = [
        [np.flatnonzero((store.identity == p) & (store.modality == number))[0] for p in people]
        for number in range(len(MODALITIES))
    ]
    return Pairs(people, *(np.array(side, int) for side in rows))


def compare_levels(
    trained: TrainedModel, store: ImageStore, pairs: Pairs
) -> dict[str, LevelSimilarity]:
    """Return the maps and similarities of `pairs` at each level, by its name, low to high.

    The images go through as they are, each through its own modality's stream, without mirror
    averaging. Batch norm uses its running statistics.
    """
    sides = [
        _all_maps(maps_of(trained, name), trained.variables, store.images[rows])
        for name, rows in zip(MODALITIES, (pairs.visible, pairs.infrared), strict=True)
    ]
    # A compiled function returns its levels in the order of the alphabet.
    return {
        level: LevelSimilarity(
            *(side[level] for side in sides), similarities(*(s[level] for s in sides))
        )
        for level in levels_of(trained.model.features)
    }


def maps_of(trained: TrainedModel, modality: str) -> Callable:
    """Return (variables, uint8 images [n h w 3]) -> float32 maps [n y x c] by level, compiled."""
    stages = {feature.level: feature.stage for feature in trained.model.features}
    form = input_form(trained.config)

    def maps(variables: Mapping, images: UInt8[Array, "n h w 3"]) -> dict[str, Array]:
        inputs = prepare_input(images, form)
        found = trained.model.apply(variables, inputs, modality, method="feature_maps")
        return {level: found[stage].astype(jnp.float32) for level, stage in stages.items()}

    return jax.jit(maps, compiler_options=compiler_options.forward_only())


def _all_maps(maps, variables, images):
    """Return the maps of all images by level; batches have one shape, so it is compiled once."""
    parts = []
    for start in range(0, len(images), AT_ONCE):
        batch = np.zeros((AT_ONCE, *images.shape[1:]), np.uint8)
        real = images[start : start + AT_ONCE]
        batch[: len(real)] = real
        found = jax.device_get(maps(variables, batch))
        parts.append({level: value[: len(real)] for level, value in found.items()})
    return {level: np.concatenate([part[level] for part in parts]) for level in parts[0]}


def similarities(
    visible: Float[np.ndarray, "p y x c"], infrared: Float[np.ndarray, "q y x c"]
) -> Float[np.ndarray, "p q"]:
    """Return the cosine of each visible and each infrared map, flattened over places and channels.

    Nothing is subtracted and nothing is aligned: value meets value at the same place in the same
    channel. Maps after a ReLU have no negative values, so theirs is 0 to 1; a map of zeros gives 0.
    """
    return np.asarray(_cosines(visible, infrared))


@jax.jit
def _cosines(visible, infrared):
    def unit(maps):
        flat = maps.reshape(len(maps), -1)
        return flat / jnp.maximum(jnp.linalg.norm(flat, axis=1, keepdims=True), 1e-12)

    return jnp.matmul(unit(visible), unit(infrared).T, precision=jax.lax.Precision.HIGHEST)
