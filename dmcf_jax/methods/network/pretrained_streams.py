"""Pretrained weights for the two streams of a network and for its reductions."""

import numpy as np

from dmcf_jax.methods.network.levels import Feature
from dmcf_jax.modality import MODALITIES

# Parts of streams that no pretrained network has, by the ends of their names.
_OWN_PARTS = ("_non_local", "fc6_bn")


def stream_weights(shapes: dict, backbone: dict) -> dict:
    """Return the variables that `backbone` gives: both streams, but no head and none of our parts.

    Args:
        shapes: variables of the network, or their shapes; stages that its modalities share occur
            once.
        backbone: variables of a complete stream, see `dmcf_jax.weights.imagenet`.
    """
    return {
        collection: {
            name: {
                part: _fitting(backbone[collection][part], stream[part])
                for part in stream
                if not part.endswith(_OWN_PARTS)
            }
            for name, stream in streams.items()
            if name in (*MODALITIES, "shared")
        }
        for collection, streams in shapes.items()
    }


def _fitting(weights: dict, shapes: dict) -> dict:
    """Return `weights`, of the first layer for as many input channels as `shapes` has.

    Two: those of three added up in each. A kernel over a grey image in three channels sees the sum
    of its three parts; in zero padding one channel has the grey image and the other is zero.
    Four: a unified image of D2RL; the fourth, the infrared one, has the mean of the three.
    """
    pair = [part["kernel"].shape[2:3] for part in (weights, shapes) if "kernel" in part]
    if pair == [(3,), (2,)]:
        return weights | {"kernel": weights["kernel"].sum(axis=2, keepdims=True).repeat(2, axis=2)}
    if pair == [(3,), (4,)]:
        kernel = np.asarray(weights["kernel"])
        mean = kernel.mean(axis=2, keepdims=True)
        return weights | {"kernel": np.concatenate([kernel, mean], axis=2)}
    return weights


def reduction_weights(
    shapes: dict,
    features: tuple[Feature, ...],
    heads: dict,
    head_features: tuple[Feature, ...],
) -> dict:
    """Return the reductions of `features` that `heads` has; classifiers never.

    Args:
        shapes: variables of the network, or their shapes.
        features: of the network.
        heads: variables of another network's heads.
        head_features: its features. A feature is the same if it pools the same stripe of the
            same stage, whatever its name.
    """
    names = {_place(feature): f"heads_{feature.name}" for feature in head_features}
    pairs = [
        (f"heads_{feature.name}", names[_place(feature)])
        for feature in features
        if _place(feature) in names
    ]
    return {
        collection: {
            ours: {"reduction": heads[collection][theirs]["reduction"]}
            for ours, theirs in pairs
            if "reduction" in tree.get(ours, {})
        }
        for collection, tree in shapes.items()
    }


def _place(feature: Feature) -> tuple:
    """Return what a feature pools: a stage's whole map, or one stripe out of so many."""
    whole = (feature.stage, None, None)
    return whole if feature.is_global else (feature.stage, feature.stripe, feature.stripes)
