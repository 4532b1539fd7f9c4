"""ImageNet weights for the two streams of a DMCF."""

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
