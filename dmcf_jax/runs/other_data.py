"""A run's config with other data in it: a run that moved, another trial, another test set."""

import copy
import dataclasses
from typing import Any

from ml_collections import ConfigDict

from dmcf_jax.data.datasets import DATASETS, find_dataset
from dmcf_jax.errors import UserError
from dmcf_jax.runtime.paths import local_path


@dataclasses.dataclass(frozen=True)
class DataChoice:
    """Data to use in place of those that a run was trained with; None for the run's own.

    Attributes:
        data_dir: folder of prepared data sets.
        data: name of a data set.
        trial: its split, where there are several.
    """

    data_dir: str | None = None
    data: str | None = None
    trial: int | None = None

    @property
    def given(self) -> bool:
        """Whether anything is another than the run's."""
        return any(value is not None for value in dataclasses.astuple(self))

    def apply(self, config: ConfigDict) -> ConfigDict:
        """Return a copy of `config` with these data.

        Raises:
            UserError: an unknown data set, or a trial that it has not.
        """
        changed = copy.deepcopy(config)
        name = find_dataset(self.data or config.data.name).name
        fields: dict[str, Any] = {"name": name}
        if self.data_dir is not None:
            fields |= {"data_dir": str(local_path(self.data_dir, "--data_dir")), "cache_dir": ""}
        if self.trial is not None:
            if self.trial not in DATASETS[name].trial_numbers:
                count = DATASETS[name].trials
                allowed = f"has the trials 1 to {count}" if count else "has no trials"
                raise UserError(f"--trial={self.trial}: {name} {allowed}", about="--trial")
            fields["trial"] = self.trial
        with changed.unlocked():
            changed.data.update(fields)
        return changed


OWN_DATA = DataChoice()
