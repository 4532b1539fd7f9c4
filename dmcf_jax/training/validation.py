"""Scores during training, on identities that are not trained on."""

from collections.abc import Callable

import jax
from ml_collections import ConfigDict

from dmcf_jax.config.build import load_split
from dmcf_jax.data.image_store import ImageStore
from dmcf_jax.errors import UserError
from dmcf_jax.evaluation.evaluate_protocol import evaluate_protocols
from dmcf_jax.evaluation.protocols import find_protocol
from dmcf_jax.methods.embedder import Embedder
from dmcf_jax.methods.train_state import TrainState

DIRECTIONS = ("plain/visible-to-infrared", "plain/infrared-to-visible")


Score = Callable[[TrainState, ImageStore], dict[str, float]]


def make_score(embed: Embedder) -> Score:
    """Return (state, images) -> {'rank-1', 'mAP', 'mINP'}, fractions, the mean of both directions.

    It compiles with its first images.
    """
    protocols = [find_protocol(name) for name in DIRECTIONS]

    def score(state: TrainState, store: ImageStore) -> dict[str, float]:
        # A copy: the next step overwrites the memory of this state, which it is given.
        variables = jax.tree.map(lambda leaf: leaf.copy(), state.evaluated)
        embeddings = embed(variables, store.images, store.modality)
        results = evaluate_protocols(protocols, embeddings, store)
        found = [result.trials[0].metrics for result in results]
        return {
            "rank-1": sum(metrics.rank(1) for metrics in found) / len(found),
            "mAP": sum(metrics.mAP for metrics in found) / len(found),
            "mINP": sum(metrics.mINP for metrics in found) / len(found),
        }

    return score


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
