"""The network of two streams that config fields describe."""

from typing import Any

import jax.numpy as jnp

from dmcf_jax.methods.method import Fields
from dmcf_jax.methods.network.two_streams import TwoStreams

READS = ("model.*", "loss.softmax_scale")  # config fields of the network

# Fields of the room 'model' that say where weights come from, which is no part of the network.
_STARTS = ("pretrained", "classifier_start")


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
    room: dict[str, Any] = {
        name.removeprefix("model."): value
        for name, value in fields.items()
        if name.startswith("model.")
    }
    return TwoStreams(
        identities=identities,
        softmax_scale=fields["loss.softmax_scale"],
        dtype=jnp.dtype(fields["dtype"]),
        conv_impl=conv_impl,
        weighted=weighted,
        **{name: value for name, value in room.items() if name not in _STARTS},
    )


def copy_settings(network: TwoStreams) -> dict[str, Any]:
    """Return the attributes of a network, for one of a class derived from it."""
    names = [name for name in network.__dataclass_fields__ if name not in ("parent", "name")]
    return {name: getattr(network, name) for name in names}


def single_level(fields: Fields, identities: int, conv_impl: str) -> TwoStreams:
    """Return the network of a method whose levels have no learned weights."""
    return build_network(fields, identities, conv_impl, weighted=False)
