"""A trained model taken from a run's folder."""

import dataclasses
import functools
from pathlib import Path

import jax
import numpy as np
from ml_collections import ConfigDict

from dmcf_jax.config import build as from_config
from dmcf_jax.runtime import devices as mesh
from dmcf_jax.runs import folder as run_folder
from dmcf_jax.runs.checkpoint import Checkpoints
from dmcf_jax.data.image_store import ImageStore
from dmcf_jax.methods.embedder import Embedder
from dmcf_jax.methods.dmcf.network import DMCF
from dmcf_jax.models.initial import cut, draw_normals, variable_shapes
from dmcf_jax.runtime.random_keys import named_key
from dmcf_jax.methods.dmcf.train_step import make_state


@dataclasses.dataclass(frozen=True)
class TrainedModel:
    """A network with its variables and where they come from.

    Attributes:
        config: the run's.
        model: the network.
        variables: {'params': ..., 'batch_stats': ...}.
        step: of the checkpoint; 0 for an untrained network.
        chosen_by: how the checkpoint was chosen.
    """

    config: ConfigDict
    model: DMCF
    variables: dict
    step: int
    chosen_by: str

    def embed(self, store: ImageStore, flip: bool | None = None, progress=None) -> np.ndarray:
        """Return float32 unit embeddings [n d] of stored images, computed on all devices.

        Args:
            flip: also embed the mirror images; None takes the config's setting.
            progress: called with (batches done, all batches).
        """
        settings = self.config.evaluation
        flip = settings.flip if flip is None else flip
        embed = embedder_of(self.model, settings.batch_size, flip)
        return embed(self.variables, store.images, store.modality, progress)


@functools.lru_cache(maxsize=4)
def embedder_of(model: DMCF, batch_size: int, flip: bool) -> Embedder:
    """Return the embedder of a network on all devices; compiled once whatever its weights."""
    return Embedder(model, mesh.make_mesh(), batch_size, flip)


def load_trained(workdir: str | Path, step: int | None = None, best: bool = False) -> TrainedModel:
    """Return the model of a run.

    Args:
        step: checkpoint to take; by default the latest.
        best: take the checkpoint that `train.keep_best` kept.

    Raises:
        UserError: if there is no run or no such checkpoint.
    """
    config, model = _network_of(workdir)
    with Checkpoints(workdir, config.train.keep_best, read_only=True) as checkpoints:
        chosen_by = "named by --step" if step is not None else "last"
        if best:
            step, chosen_by = checkpoints.best_step(), _best_by(config)
        state = checkpoints.load(_empty_state(config, model), step)
    variables = {"params": state.params, "batch_stats": state.batch_stats}
    return TrainedModel(config, model, variables, int(state.step), chosen_by)


def untrained(workdir: str | Path) -> TrainedModel:
    """Return the network of a run as it was before its first step."""
    config, model = _network_of(workdir)
    shapes = variable_shapes(model, tuple(config.data.size))
    variables = cut(shapes, draw_normals(shapes, named_key(config.seed, "init")))
    return TrainedModel(config, model, variables, 0, "untrained")


def _best_by(config):
    judged = "test data" if config.train.eval_on == "test" else "held-out identities"
    return f"best {config.train.keep_best} on {judged}"


def _network_of(workdir):
    config = run_folder.restore_config(workdir)
    classes = run_folder.read_json(Path(workdir) / "classes.json")
    return config, from_config.build_model(config, len(classes))


def _empty_state(config, model):
    """Return the shapes of a run's state, placed on all devices."""
    variables = variable_shapes(model, tuple(config.data.size))
    optimizer = from_config.build_optimizer(config)
    shapes = jax.eval_shape(lambda fresh: make_state(fresh, optimizer), variables)
    return mesh.with_sharding(shapes, mesh.replicated(mesh.make_mesh()))
