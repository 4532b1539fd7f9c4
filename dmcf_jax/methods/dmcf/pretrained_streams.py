"""Pretrained weights for the two streams of a DMCF and for its reductions."""

from dmcf_jax.methods.dmcf.levels import Feature
from dmcf_jax.modality import MODALITIES


def stream_weights(shapes: dict, resnet: dict) -> dict:
    """Return the part of a DMCF's variables that `resnet` gives: both streams, but no head.

    Args:
        shapes: variables of the DMCF, or their shapes; stages that its modalities share occur
            once.
        resnet: variables of a complete ResNet, see `dmcf_jax.weights.imagenet.load_resnet`.
    """
    return {
        collection: {
            name: {part: resnet[collection][part] for part in stream}
            for name, stream in streams.items()
            if name in (*MODALITIES, "shared")
        }
        for collection, streams in shapes.items()
    }


def reduction_weights(
    shapes: dict,
    features: tuple[Feature, ...],
    heads: dict,
    head_features: tuple[Feature, ...],
) -> dict:
    """Return the reductions of `features` that `heads` has; classifiers never.

    Args:
        shapes: variables of the DMCF, or their shapes.
        features: of the DMCF.
        heads: variables of another DMCF's heads.
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
