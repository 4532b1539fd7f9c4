"""What figures are drawn from: one run or an experiment's runs, and the embeddings of a model."""

import dataclasses
import functools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from ml_collections import ConfigDict

from dmcf_jax.config.build import load_split
from dmcf_jax.data.image_store import ImageStore
from dmcf_jax.errors import Problem, UserError
from dmcf_jax.methods.dmcf.published import COMPLETE
from dmcf_jax.runs import folder as run_folder
from dmcf_jax.runs.collection import runs_of
from dmcf_jax.runs.data_record import (
    metadata_of,
    read_record,
    refuse_changed_test,
    wide_range_of,
)
from dmcf_jax.runs.load import TrainedModel, load_trained
from dmcf_jax.runs.other_data import OWN_DATA, DataChoice
from dmcf_jax.runtime.console import log, progress


@dataclasses.dataclass(frozen=True)
class FigureOptions:
    """What the user may choose.

    Attributes:
        pairs: pairs of images in figure 5.
        identities: people in the map of embeddings.
        data: to draw from; by default the run's own.
        beside: folder of a run of BDTR, whose high level figure 5 shows as H; None for none.
    """

    pairs: int = 2
    identities: int = 12
    data: DataChoice = OWN_DATA
    beside: Path | None = None


class FigureInputs:
    """The runs of a folder; model, images and embeddings are loaded once, on first use.

    Attributes:
        workdir: the folder as the user named it.
        rows: runs by the experiment's row, in order of trial and seed; {} for a single run.
    """

    def __init__(self, workdir: str | Path, data: DataChoice = OWN_DATA):
        """Find the runs in `workdir`.

        Args:
            data: to draw from in place of the first run's own.

        Raises:
            UserError: it is neither a run's folder nor an experiment's.
        """
        self.workdir, self._data = Path(workdir), data
        single = (self.workdir / "config.json").exists()
        rows = {} if single else runs_of(self.workdir)
        self.rows = {row: sorted(runs, key=_by_number) for row, runs in rows.items()}
        if not single and not self.rows:
            raise UserError(
                f"{workdir} holds neither a run (no config.json) nor an experiment's runs "
                "(<row>/seed_0/config.json). Name the --workdir of `dmcf train` or "
                "`dmcf experiments`.",
                about="--workdir",
            )

    @property
    def runs(self) -> list[Path]:
        """The runs of the full method: the run itself, or those of the experiment's row."""
        return self.rows.get(COMPLETE, []) if self.rows else [self.workdir]

    def problems(self) -> list[Problem]:
        """Return why no figure of the full method can be drawn; [] if it can."""
        if self.runs:
            return []
        text = (
            f"{self.workdir} has no run of the row {COMPLETE!r}, only of {', '.join(self.rows)}: "
            f"name one run, such as --workdir={next(iter(self.rows.values()))[0]}"
        )
        return [Problem("--workdir", text)]

    @functools.cached_property
    def config(self) -> ConfigDict:
        """The config of the first run."""
        return self._data.apply(run_folder.restore_config(self.runs[0]))

    @functools.cached_property
    def trained(self) -> TrainedModel:
        """The model of the first run's latest checkpoint."""
        if self.rows:
            log(f"model of {self.runs[0]}")
        return load_trained(self.runs[0])

    @functools.cached_property
    def store(self) -> ImageStore:
        """The images of the test split."""
        store = load_split(self.config, ("test",), wide_range_of(self.runs[0]))
        if not self._data.given:
            known = read_record(self.runs[0])
            people = store.identity.tolist()
            refuse_changed_test(self.runs[0], known, self.metadata(), people)
        return store

    @functools.cached_property
    def embeddings(self) -> Float[np.ndarray, "n d"]:
        """Unit embeddings of all images of the test split."""
        with progress("embedding batches") as update:
            return self.trained.embed(self.store, progress=update)

    def metadata(self) -> dict[str, Any]:
        """Return the metadata of the prepared data.

        Raises:
            UserError: the prepared data are not there.
        """
        return metadata_of(self.config)


def _by_number(run: Path) -> list[int]:
    """Return a sorting key of `trial_2_seed_0` that puts it before `trial_10_seed_0`."""
    return [int(number) for number in re.findall(r"\d+", run.name)]


def spread(values: Sequence | np.ndarray, count: int) -> np.ndarray:
    """Return `count` of `values`, evenly spaced from the first to the last; all if there are fewer.

    Nothing is random and nothing is picked by eye: the same data give the same people.
    """
    values = np.asarray(values)
    if count >= len(values):
        return values
    return values[np.round(np.linspace(0, len(values) - 1, count)).astype(int)]
