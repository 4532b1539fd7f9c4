"""The network of two streams that config fields describe."""

from typing import Any, TypeVar

import jax.numpy as jnp

from dmcf_jax.methods.method import Fields, Group
from dmcf_jax.methods.network.two_streams import TwoStreams

Network = TypeVar("Network", bound=TwoStreams)
# Parameter groups of the streams and the heads.
GROUPS = (
    Group("backbone", r"(visible|infrared|shared)/.*"),
    Group("heads", r"heads_[GR]\d+/.*"),
)
READS = ("model.*", "loss.softmax_scale")  # config fields of the network

# Fields of the room 'model' that say where weights come from, which is no part of the network.
STARTS = ("pretrained", "block_start", "classifier_start")


def build_network(
    fields: Fields, identities: int, conv_impl: str, weighted: bool = True
) -> TwoStreams:
    """Return the network.

    Args:
        fields: every field of the room 'model', `dtype` and `loss.softmax_scale`.
        identities: classes of every classifier.
        conv_impl: 'xla' or 'matmul', see `dmcf_jax.models.convolution`.
        weighted: whether its levels have learned weights.
    """
    return TwoStreams(**_settings(fields, identities, conv_impl), weighted=weighted)


def single_level(
    fields: Fields,
    identities: int,
    conv_impl: str,
    kind: type[Network] = TwoStreams,
    **own: Any,
) -> Network:
    """Return the network of a method whose levels have no learned weights.

    Args:
        kind: its class, `TwoStreams` or one derived from it.
        own: attributes that only this class has.
    """
    return kind(**_settings(fields, identities, conv_impl), weighted=False, **own)


def _settings(fields: Fields, identities: int, conv_impl: str) -> dict[str, Any]:
    """Return the attributes of a `TwoStreams` that config fields describe."""
    room: dict[str, Any] = {
        name.removeprefix("model."): value
        for name, value in fields.items()
        if name.startswith("model.")
    }
    return {
        "identities": identities,
        "softmax_scale": fields["loss.softmax_scale"],
        "dtype": jnp.dtype(fields["dtype"]),
        "conv_impl": conv_impl,
        **{name: value for name, value in room.items() if name not in STARTS},
    }
