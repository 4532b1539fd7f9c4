"""What figures are drawn from: a run or an experiment's runs, and a trained model's embeddings."""

import dataclasses
import functools
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from ml_collections import ConfigDict

from dmcf_jax.config.build import load_split
from dmcf_jax.data.datasets import DATASETS
from dmcf_jax.data.image_store import ImageStore
from dmcf_jax.data.records.prepared import read_metadata
from dmcf_jax.errors import UserError
from dmcf_jax.evaluate import embed_split
from dmcf_jax.methods.dmcf.published import WHOLE
from dmcf_jax.modality import MODALITIES
from dmcf_jax.runs import folder as run_folder
from dmcf_jax.runs.collection import runs_of
from dmcf_jax.runs.load import TrainedModel, load_trained
from dmcf_jax.runtime.console import log


@dataclasses.dataclass(frozen=True)
class Choices:
    """What the user may choose: pairs of figure 5 and identities of the embeddings' map."""

    pairs: int = 2
    identities: int = 12


class Material:
    """A folder's runs; what takes long is done once, when a figure first asks for it.

    Attributes:
        workdir: as the user named it.
        rows: runs by the experiment's row, in order of trial and seed; {} for a single run.
    """

    def __init__(self, workdir: str | Path):
        """Look what `workdir` is.

        Raises:
            UserError: neither a run nor an experiment's folder.
        """
        self.workdir = Path(workdir)
        single = (self.workdir / "config.json").exists()
        found = {} if single else runs_of(self.workdir)
        self.rows = {row: sorted(runs, key=_by_number) for row, runs in found.items()}
        if not single and not self.rows:
            raise UserError(
                f"{workdir} holds neither a run (no config.json) nor an experiment's runs "
                "(<row>/seed_0/config.json). Name the --workdir of dmcf train or of "
                "dmcf experiments."
            )

    @property
    def runs(self) -> list[Path]:
        """The runs of the whole method: the run itself, or those of an experiment's row."""
        return self.rows.get(WHOLE, []) if self.rows else [self.workdir]

    def problems(self) -> list[str]:
        """Return what is in the way of a figure of the whole method."""
        if self.runs:
            return []
        return [
            f"{self.workdir} has no run of the row {WHOLE!r}, only of {', '.join(self.rows)}: "
            f"name one run, as --workdir={next(iter(self.rows.values()))[0]}"
        ]

    @functools.cached_property
    def config(self) -> ConfigDict:
        """The config of the first run."""
        return run_folder.restore_config(self.runs[0])

    @functools.cached_property
    def trained(self) -> TrainedModel:
        """The last checkpoint of the first run."""
        if self.rows:
            log(f"the model is that of {self.runs[0]}")
        return load_trained(self.runs[0])

    @functools.cached_property
    def store(self) -> ImageStore:
        """The images of the test split."""
        return load_split(self.config, ("test",))

    @functools.cached_property
    def embeddings(self) -> Float[np.ndarray, "n d"]:
        """Unit embeddings of all images of the test split."""
        return embed_split(self.trained, self.store, None)

    def metadata(self) -> dict:
        """Return the metadata of the prepared data; UserError where they are not at hand."""
        data = self.config.data
        return read_metadata(data.name, data.data_dir, DATASETS[data.name].trial(data.trial))


def _by_number(run: Path) -> list[int]:
    """Return a sorting key of `trial_2_seed_0` that puts it before `trial_10_seed_0`."""
    return [int(number) for number in re.findall(r"\d+", run.name)]


def people_in_both(store: ImageStore) -> Int[np.ndarray, " k"]:
    """Return the identities that have images of both modalities, ascending."""
    sides = [store.identity[store.modality == number] for number in range(len(MODALITIES))]
    return np.intersect1d(*sides)


def spread(values: Sequence | np.ndarray, count: int) -> np.ndarray:
    """Return `count` of `values`, evenly spaced from the first to the last; all if there are fewer.

    No luck and no choice by eye: the same data give the same people.
    """
    values = np.asarray(values)
    if count >= len(values):
        return values
    return values[np.round(np.linspace(0, len(values) - 1, count)).astype(int)]
