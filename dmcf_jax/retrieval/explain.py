"""What in one picture matched another: activation maps at each level of the network.

The score of a pair is a cosine, a sum over the network's features, so each level contributes a
share. A feature is the maximum of a map, and its gradient shows the positions that it came from.
The contribution of a position is its activation times that gradient, summed over channels. Over
all positions that is the features' contribution, as far as the network is linear after the maps.
"""

import dataclasses
import functools
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8
from PIL import Image

from dmcf_jax.config.build import input_form
from dmcf_jax.data import decode
from dmcf_jax.data.prepare_input import InputForm, prepare_input
from dmcf_jax.errors import UserError
from dmcf_jax.methods.network.levels import levels_of
from dmcf_jax.methods.network.two_streams import TwoStreams
from dmcf_jax.retrieval.model import FeatureExtractor


@dataclasses.dataclass(frozen=True)
class LevelMatch:
    """One level: its `share` of the score, and both pictures with the contributing parts lit up.

    name: 'low', 'middle', 'high' or 'lowest'.
    query_map, match_map: float32 [y x], the contribution of each position to the share.
    query, match: uint8 [h w 3], the pictures under their maps.
    """

    name: str
    share: float
    query_map: np.ndarray
    match_map: np.ndarray
    query: UInt8[np.ndarray, "h w 3"]
    match: UInt8[np.ndarray, "h w 3"]


@dataclasses.dataclass(frozen=True)
class Explanation:
    """The score of a pair and its levels, whose shares add up to it."""

    score: float
    levels: tuple[LevelMatch, ...]


def explain(
    model: FeatureExtractor,
    query: UInt8[np.ndarray, "h w 3"],
    match: UInt8[np.ndarray, "h w 3"],
    modalities: tuple[str, str],
) -> Explanation:
    """Return which parts of `query` and `match` contribute to their score, level by level.

    Without averaging over mirror images (`evaluation.flip`).

    Args:
        query, match: at the model's size, as `model.read` gives them.
        modalities: 'visible' or 'infrared' of each.

    Raises:
        UserError: the model is an exported file, which only gives embeddings.
    """
    if model.trained is None:
        text = f"{model.source} is an export: give the run's folder to explain a pair"
        raise UserError(text, about=model.source)
    network, variables = model.trained.model, model.trained.variables
    form = input_form(model.trained.config)
    # flax modules are hashable, which type checkers do not see.
    explainer = _explainer(cast(Hashable, network), modalities, form)
    found = explainer(variables, query[None], match[None])
    shares, maps = jax.device_get(found)
    levels = tuple(
        LevelMatch(
            name,
            float(shares[name]),
            query_map,
            match_map,
            _lit(query, query_map),
            _lit(match, match_map),
        )
        for name in levels_of(network.features)
        for query_map, match_map in [maps[name]]
    )
    return Explanation(float(sum(shares.values())), levels)


def explain_best(
    model: FeatureExtractor,
    results: Sequence[Mapping[str, Any]],
    query_root: Path,
    gallery_root: Path,
) -> list[Explanation | None]:
    """Return the explanation of each query's best match; None if a picture cannot be read."""

    def explain_one(result: Mapping[str, Any]) -> Explanation | None:
        if not result["matches"]:
            return None
        best = result["matches"][0]
        try:
            pair = model.read(query_root / result["path"]), model.read(gallery_root / best["path"])
        except decode.BadImage:
            return None
        return explain(model, *pair, (result["modality"], best["modality"]))

    return [explain_one(result) for result in results]


@functools.lru_cache(maxsize=8)
def _explainer(
    network: TwoStreams, modalities: tuple[str, str], form: InputForm
) -> Callable[..., tuple[dict, dict]]:
    """Return (variables, query, match) -> (share by level, maps of both by level), compiled."""

    def maps_of(variables: Mapping, images: Array, modality: str) -> dict[str, Array]:
        inputs = prepare_input(images, form)
        found = network.apply(variables, inputs, modality, method="feature_maps")
        return cast(dict[str, Array], found)

    def embed(variables: Mapping, maps: Mapping[str, Array]) -> dict[str, Array]:
        def heads(module, maps):
            return {
                f.name: module.heads[f.name].embed(module.pooled(maps, f), False)
                for f in module.features
            }

        return cast(dict[str, Array], network.apply(variables, maps, method=heads))

    def shares_of(variables, query_maps, match_maps):
        sides = [embed(variables, maps) for maps in (query_maps, match_maps)]
        lengths = [jnp.sqrt(sum(jnp.sum(part**2) for part in side.values())) for side in sides]
        # The lengths only scale the score: no gradient through them.
        scale = jax.lax.stop_gradient(1 / jnp.maximum(lengths[0] * lengths[1], 1e-12))
        shares = {level: jnp.float32(0) for level in levels_of(network.features)}
        for feature in network.features:
            products = jnp.sum(sides[0][feature.name] * sides[1][feature.name])
            shares[feature.level] += products * scale
        return shares

    def explain_pair(variables, query, match):
        stages = {f.level: f.stage for f in network.features}
        both = [
            {stage: maps[stage].astype(jnp.float32) for stage in stages.values()}
            for maps in map(functools.partial(maps_of, variables), (query, match), modalities)
        ]
        shares, back = jax.vjp(lambda *maps: shares_of(variables, *maps), *both)
        # A stage belongs to one level, so one backward pass gives the maps of all levels.
        gradients = back({level: jnp.float32(1) for level in stages})
        contributions = {
            level: tuple(
                _contribution(maps[stage], gradient[stage])
                for maps, gradient in zip(both, gradients, strict=True)
            )
            for level, stage in stages.items()
        }
        return shares, contributions

    return jax.jit(explain_pair)


def _contribution(
    maps: Float[Array, "1 y x c"], gradient: Float[Array, "1 y x c"]
) -> Float[Array, "y x"]:
    return jnp.sum(maps * gradient, axis=-1)[0]


def _lit(
    image: UInt8[np.ndarray, "h w 3"], contribution: Float[np.ndarray, "y x"]
) -> UInt8[np.ndarray, "h w 3"]:
    """Return `image`, darkened, with the contributing positions in a warm colour."""
    height, width = image.shape[:2]
    heat = np.maximum(contribution, 0).astype(np.float32)
    heat /= max(float(heat.max()), 1e-12)
    grown = Image.fromarray(heat).resize((width, height), Image.Resampling.BICUBIC)
    strength = np.clip(np.asarray(grown), 0, 1)[:, :, None]
    grey = image.mean(axis=2, keepdims=True) * 0.7
    warm = np.array([255, 190, 40], np.float32)
    return (grey * (1 - 0.75 * strength) + warm * 0.75 * strength).clip(0, 255).astype(np.uint8)
