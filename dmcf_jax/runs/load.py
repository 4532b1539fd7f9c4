"""A trained model taken from a run's folder."""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from flax import linen as nn
from ml_collections import ConfigDict

from dmcf_jax.config.build import Built, build, input_form
from dmcf_jax.config.validate import flatten
from dmcf_jax.data.image_store import ImageStore
from dmcf_jax.data.prepare_input import InputForm
from dmcf_jax.data.wide_values import FULL, WideRange
from dmcf_jax.methods.embedder import Embedder
from dmcf_jax.runs.checkpoint import Checkpoints
from dmcf_jax.runs.data_record import wide_range_of
from dmcf_jax.runs.folder import read_json, restore_config
from dmcf_jax.runs.summary import AVERAGED, thresholds_of
from dmcf_jax.runtime.devices import make_mesh, replicated, with_sharding
from dmcf_jax.runtime.paths import local_path


class EmbedSettings(NamedTuple):
    """How a run turns images into embeddings.

    Attributes:
        size: height and width of the network's input.
        filter: of resizing: 'lanczos', 'bicubic' or 'bilinear'.
        form: how pixels become the network's input.
        flip: also embed the mirror images.
        batch_size: images at once.
    """

    size: tuple[int, int]
    filter: str
    form: InputForm
    flip: bool
    batch_size: int


@dataclasses.dataclass(frozen=True)
class TrainedModel:
    """A network with its variables and where they come from.

    Attributes:
        config: the run's.
        model: the network.
        variables: {'params': ..., 'batch_stats': ...}; averages over the steps where the run
            keeps them.
        step: of the checkpoint; 0 for an untrained network.
        chosen_by: how the checkpoint was chosen.
        wide_range: values of pictures of more than eight bits that become 0 and 255.
        thresholds: of this checkpoint, as `summary.json` has them; None where it has none.
    """

    config: ConfigDict
    model: nn.Module
    variables: dict
    step: int
    chosen_by: str
    wide_range: WideRange = FULL
    thresholds: dict[str, Any] | None = None

    def flat_config(self) -> dict[str, Any]:
        """Return the config by dotted names, with the range where one was measured."""
        measured = self.wide_range not in (FULL, None)
        limits = {"data.wide_limits": list(self.wide_range or ())} if measured else {}
        return flatten(self.config) | limits

    @property
    def settings(self) -> EmbedSettings:
        """How the run's config embeds."""
        data, evaluation = self.config.data, self.config.evaluation
        form = input_form(self.config)
        size = tuple(data.size)
        return EmbedSettings(size, data.filter, form, evaluation.flip, evaluation.batch_size)

    def embed(
        self,
        store: ImageStore,
        flip: bool | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> np.ndarray:
        """Return float32 unit embeddings [n d] of stored images, computed on all devices.

        Args:
            flip: also embed the mirror images; None takes the config's setting.
            progress: called with (batches done, all batches).
        """
        settings = self.settings
        flip = settings.flip if flip is None else flip
        # flax modules are hashable, which type checkers do not see.
        embed = embedder_of(self.model, settings.batch_size, flip, settings.form)  # pyright: ignore
        return embed(self.variables, store.images, store.modality, progress)


@functools.lru_cache(maxsize=8)
def embedder_of(model: nn.Module, batch_size: int, flip: bool, form: InputForm) -> Embedder:
    """Return the embedder of a network on all devices; compiled once whatever its weights."""
    return Embedder(model, make_mesh(), batch_size, flip, form)


def load_trained(workdir: str | Path, step: int | None = None, best: bool = False) -> TrainedModel:
    """Return the model of a run.

    Args:
        step: checkpoint to take; by default the latest.
        best: take the checkpoint that `train.keep_best` kept.

    Raises:
        UserError: if there is no run or no such checkpoint.
    """
    workdir = local_path(workdir, "--workdir")
    config, built = _build(workdir)
    shapes = with_sharding(built.state_shapes(), replicated(make_mesh()))
    with Checkpoints(workdir, config.train.keep_best, read_only=True) as checkpoints:
        chosen_by = "named by --step" if step is not None else "last"
        if best:
            step, chosen_by = checkpoints.best_step(), _best_by(config)
        state = checkpoints.load(shapes, step)
    wide_range = wide_range_of(workdir)
    chosen_by += f", {AVERAGED} weights" if built.averaged else ""
    step = int(state.step)
    thresholds = thresholds_of(workdir, step)
    origin = step, chosen_by, wide_range, thresholds
    return TrainedModel(config, built.model, state.evaluated, *origin)


def untrained(workdir: str | Path) -> TrainedModel:
    """Return the network of a run with random weights, whatever the run started from."""
    config, built = _build(workdir)
    return TrainedModel(config, built.model, built.random_variables(config.seed), 0, "untrained")


def _best_by(config: ConfigDict) -> str:
    data = "test data" if config.train.eval_on == "test" else "held-out identities"
    return f"best {config.train.keep_best} on {data}"


def _build(workdir: str | Path) -> tuple[ConfigDict, Built]:
    workdir = local_path(workdir, "--workdir")
    config = restore_config(workdir)
    classes = read_json(workdir / "classes.json")
    return config, build(config, len(classes))
