"""What a method is: its network, its losses, its parameter groups, and what it fits at the end."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from flax import linen as nn
from jaxtyping import Array, Float, Int

Fields = Mapping[str, Any]  # config fields by dotted name, such as fields["loss.margin"]


@dataclasses.dataclass(frozen=True)
class LossTerm:
    """One logged loss: `kind` ('triplet' or 'softmax') on the feature named `feature`.

    Attributes:
        name: in metrics.jsonl, such as the paper's L1.
        kind: 'softmax' for classifiers, 'triplet' for losses of distances; alarms look at both.
        feature: whose embedding or logits it takes.
        level: of the feature, '' where a method has no levels.
    """

    name: str
    kind: str
    feature: str
    level: str = ""


class Watched(NamedTuple):
    """What the alarms of a run depend on beside its log.

    Attributes:
        terms: the losses that are watched.
        scale: distances between people are compared with it: the margin, 1 for losses without
            one, 0 for losses whose embeddings may have any length.
        triplets_from, softmax_from: first step whose losses of this kind count.
    """

    terms: tuple[LossTerm, ...] = ()
    scale: float = 0.0
    triplets_from: int = 0
    softmax_from: int = 0


class Context(NamedTuple):
    """What a loss may depend on beside the network's outputs.

    Attributes:
        step: steps taken before this one, int32.
        params: all that is learned.
        key: random numbers of this step for the loss.
    """

    step: Int[Array, ""]
    params: dict
    key: Array


# (outputs, labels [2b] of interleaved rows, context) -> (total, scalars to log by name)
Loss = Callable[[Any, Int[Array, " n"], Context], tuple[Float[Array, ""], dict[str, Array]]]


class Group(NamedTuple):
    """Parameters with one learning rate, `optim.lr_<name>`.

    Attributes:
        pattern: regular expression that their complete paths match; the first group that
            matches has the parameter.
        decayed: whether `optim.weight_decay` applies.
        frozen: whether it is not trained by steps and has no rate: what is fitted, or constant.
    """

    name: str
    pattern: str
    decayed: bool = True
    frozen: bool = False


class Trained(NamedTuple):
    """How a method is trained by steps.

    Attributes:
        loss: (fields, network) -> the loss.
        groups: of its parameters.
        watched: (fields, network) -> what the alarms look at.
        turns: fields -> {group: step -> bool}: a group is updated only in the steps for which it
            is true, and its moments rest in between; groups without an entry always are.
        project: params -> params after each update, for bounds.
        factors: fields -> {group: step -> factor on its learning rate}.
    """

    loss: Callable[[Fields, Any], Loss]
    groups: tuple[Group, ...]
    watched: Callable[[Fields, Any], Watched]
    turns: Callable[[Fields], dict[str, Callable]] = lambda fields: {}
    project: Callable[[dict], dict] = lambda params: params
    factors: Callable[[Fields], dict[str, Callable]] = lambda fields: {}


class Method(NamedTuple):
    """A method by its parts. A new one is a file with its record, and a line in `METHODS`.

    Attributes:
        title: what tables call it.
        reads: the fields of `METHOD_ROOMS` that it reads, by dotted name; 'model.*' for a room.
            Another of these fields must keep its default: `validate` refuses a change that would
            have no effect. `VIEWS` where its losses take rows in any number.
        network: (fields, identities, conv_impl) -> Linen module with
            `__call__(visible, infrared, train)` -> outputs of 2b interleaved rows, and
            `embed(images, modality)` -> float32 rows of unit length, compared by cosine.
        trained: how it is trained by steps; None: it has nothing to train so, and its runs have
            `train.steps` = 1.
        fit: (fields, variables, embedded) -> variables with what is fitted, once, after the last
            step. `embedded` holds what the network's method `describe` gives for the training
            images. None: nothing.
        across_only: whether embeddings compare between the modalities only: their cosine says
            nothing about two images of one modality.
    """

    title: str
    reads: tuple[str, ...]
    network: Callable[[Fields, int, str], nn.Module]
    trained: Trained | None = None
    fit: Callable[[Fields, dict, "Embedded"], dict] | None = None
    across_only: bool = False

    def reads_field(self, field: str) -> bool:
        """Return whether the method reads a field of `METHOD_ROOMS`."""
        return field in self.reads or f"{field.partition('.')[0]}.*" in self.reads


class Embedded(NamedTuple):
    """The training images as a network sees them, for `Method.fit`.

    Attributes:
        features: float32 [n d].
        identity, modality: int [n]; modality is 0 visible or 1 infrared.
    """

    features: Any
    identity: Any
    modality: Any


VIEWS = "data.views"  # losses of pairs take one view of each image only
# Rooms of the config whose fields only some methods read; what is not here concerns every run.
METHOD_ROOMS = ("model", "loss", "mtl", "optim", "translation", "fit")
