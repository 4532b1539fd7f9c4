"""What a method fits once, after the last step: a metric on the embedded training images."""

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from ml_collections import ConfigDict

from dmcf_jax.config.build import Built, input_form
from dmcf_jax.data.image_store import ImageStore
from dmcf_jax.methods.embedder import Embedder
from dmcf_jax.methods.method import Embedded
from dmcf_jax.methods.train_state import TrainState
from dmcf_jax.runtime.console import log_time
from dmcf_jax.runtime.devices import replicated, shard


def fit_metric(
    config: ConfigDict, built: Built, state: TrainState, store: ImageStore, mesh: Mesh
) -> TrainState:
    """Return `state` with what the method fits; unchanged for methods that fit nothing.

    Args:
        store: the training images.
    """
    fit = built.method.fit
    if fit is None:
        return state
    # A copy: the next step overwrites the memory of this state, which it is given.
    variables = jax.tree.map(lambda leaf: leaf.copy(), state.evaluated)
    batch_size, form = config.evaluation.batch_size, input_form(config)
    embed = Embedder(built.model, mesh, batch_size, form=form, method="describe")
    with log_time(f"fitting {built.method.title} to {len(store)} training images"):
        rows = embed(variables, store.images, store.modality)
        fitted = fit(built.fields, variables, Embedded(rows, store.identity, store.modality))
    params = jax.tree.map(jnp.asarray, fitted["params"])
    return state.with_evaluated(shard(params, replicated(mesh)))
