"""Scores during training, on identities that are not trained on."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jaxtyping import Float
from ml_collections import ConfigDict

from dmcf_jax.config.build import load_split
from dmcf_jax.data.image_store import ImageStore
from dmcf_jax.errors import UserError
from dmcf_jax.evaluation.evaluate_protocol import evaluate_protocols
from dmcf_jax.evaluation.protocols import find_protocol
from dmcf_jax.evaluation.thresholds import measure_thresholds
from dmcf_jax.methods.train_state import TrainState

Embed = Callable[[dict, np.ndarray, np.ndarray], np.ndarray]
DIRECTIONS = ("plain/visible-to-infrared", "plain/infrared-to-visible")


class Score:
    """Scores of a state on images; it compiles with its first ones."""

    def __init__(self, embed: Embed, used: Embed | None = None, across_only: bool = False):
        """Keep the embedders.

        Args:
            embed: (variables, images, modality) -> embeddings, as an `Embedder`.
            used: as the trained model will embed, where that differs from `embed`.
            across_only: embeddings compare between the modalities only, see `Method`.
        """
        self._embed, self._used, self._across_only = embed, used or embed, across_only
        self._protocols = [find_protocol(name) for name in DIRECTIONS]

    def __call__(self, state: TrainState, store: ImageStore) -> dict[str, float]:
        """Return 'rank-1', 'mAP' and 'mINP' as fractions, the mean of both directions."""
        results = evaluate_protocols(self._protocols, _embeddings(self._embed, state, store), store)
        found = [result.trials[0].metrics for result in results]
        return {
            "rank-1": sum(metrics.rank(1) for metrics in found) / len(found),
            "mAP": sum(metrics.mAP for metrics in found) / len(found),
            "mINP": sum(metrics.mINP for metrics in found) / len(found),
        }

    def thresholds(self, state: TrainState, store: ImageStore) -> dict[str, Any]:
        """Return the thresholds of a search, see `measure_thresholds`."""
        embeddings = _embeddings(self._used, state, store)
        return measure_thresholds(embeddings, store, self._across_only)


def _embeddings(embed: Embed, state: TrainState, store: ImageStore) -> Float[np.ndarray, "n d"]:
    # A copy: the next step overwrites the memory of this state, which it is given.
    variables = jax.tree.map(lambda leaf: leaf.copy(), state.evaluated)
    return embed(variables, store.images, store.modality)


def validation_images(config: ConfigDict, held_out: ImageStore) -> ImageStore:
    """Return the images that `train.eval_every` evaluates on; none where it is 0.

    Args:
        held_out: the training images kept back; SYSU-MM01 uses its validation identities
            instead, and `train.eval_on = 'test'` the test split.

    Raises:
        UserError: no identities are held out.
    """
    if not config.train.eval_every:
        return held_out
    if config.train.eval_on == "test":
        return load_split(config, ("test",))
    store = load_split(config, ("val",)) if not len(held_out) else held_out
    if not len(store):
        raise UserError(
            "train.eval_every asks for evaluations, but no identities are held out; raise "
            "--config.train.held_out or set --config.train.eval_every=0",
            about="train.held_out",
        )
    return store
